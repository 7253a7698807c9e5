//! What a gate answers.

/// Why an emission was allowed or suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Within its limits.
    Allowed,
    /// The key has used up its own limit.
    Limit,
    /// The event has used up its budget over all its keys.
    Budget,
    /// The limit is zero.
    Muted,
}

/// The answer for one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Why.
    pub reason: Reason,
    /// When the same call would be allowed, if nothing else happens; `None` is never.
    pub retry_at: Option<u64>,
}

impl Verdict {
    pub(super) const fn denied(reason: Reason, retry_at: Option<u64>) -> Self {
        Self { reason, retry_at }
    }

    /// Whether the emission may happen.
    pub const fn allowed(&self) -> bool {
        matches!(self.reason, Reason::Allowed)
    }
}
