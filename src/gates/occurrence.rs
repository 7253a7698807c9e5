//! The fire-once policy: a state transition is worth one line, until it is reset.

use super::clock::SECOND;

/// The first pause after a failed body.
pub const BACK_OFF: u64 = SECOND;

/// The longest pause after failed bodies.
pub const LONGEST_BACK_OFF: u64 = 60 * SECOND;

/// What is kept of a fire-once key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Occurrence {
    /// Has not happened, or was reset.
    #[default]
    Armed,
    /// Has fired.
    Fired {
        /// When.
        at: u64,
        /// Which firing this was: the outcome of its body concerns no other.
        token: u32,
        /// How many bodies have failed in a row before it.
        failures: u8,
    },
    /// A body failed: armed again from `until` on, so that a broken sink does not bring the flood
    /// back.
    Rearming {
        /// When the next attempt may start.
        until: u64,
        /// How many bodies have failed in a row.
        failures: u8,
    },
}

impl Occurrence {
    /// The state after firing at `now`, or when to ask again (`None`: after a reset).
    pub fn fire(self, now: u64, ttl: Option<u64>, token: u32) -> Result<Self, Option<u64>> {
        match self {
            Self::Armed => Ok(Self::Fired { at: now, token, failures: 0 }),
            Self::Rearming { until, failures } if now >= until => {
                Ok(Self::Fired { at: now, token, failures })
            }
            Self::Rearming { until, .. } => Err(Some(until)),
            Self::Fired { at, .. } => match ttl {
                Some(ttl) if now.saturating_sub(at) >= ttl => {
                    Ok(Self::Fired { at: now, token, failures: 0 })
                }
                Some(ttl) => Err(Some(at.saturating_add(ttl))),
                None => Err(None),
            },
        }
    }

    /// The state after the body of firing `token` ended, if that firing is still the one that
    /// counts.
    pub fn settle(self, now: u64, token: u32, succeeded: bool) -> Option<Self> {
        let Self::Fired { at, token: current, failures } = self else { return None };
        if current != token {
            return None;
        }
        if succeeded {
            return Some(Self::Fired { at, token, failures: 0 });
        }
        let pause = BACK_OFF << u32::from(failures).min(BACK_OFF.leading_zeros() - 1);
        let until = now.saturating_add(pause.min(LONGEST_BACK_OFF));
        Some(Self::Rearming { until, failures: failures.saturating_add(1) })
    }

    /// Whether it has fired and was not reset.
    pub const fn fired(&self) -> bool {
        matches!(self, Self::Fired { .. })
    }
}
