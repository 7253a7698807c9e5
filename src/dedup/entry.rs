//! One proposal as the index holds it.

use std::sync::Arc;

use super::LifecycleState;

/// The key of an entry: a UUID of version 8 (RFC 9562, section 5.8) whose last byte selects the shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(u128);

impl Id {
    /// An id from random bits, a number that is never used twice with them, and the shard's selector.
    pub(super) fn new(random: u64, number: u64, selector: u8) -> Self {
        let version_and_variant = (8_u128 << 76) | (0b10_u128 << 62);
        let high = u128::from(random & !0xF000) << 64;
        let low = u128::from((number & ((1 << 54) - 1)) << 8) | u128::from(selector);
        Self(high | low & !(0b11 << 62) | version_and_variant)
    }

    /// The id with these 128 bits, which may be nobody's.
    pub fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// Its 128 bits.
    pub fn bits(self) -> u128 {
        self.0
    }

    pub(super) fn selector(self) -> u8 {
        self.0.to_le_bytes()[0]
    }
}

/// One proposal. Times are integer nanoseconds of the clock of whoever calls the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub id: Id,
    /// The org, or None where the index is used without orgs.
    pub org: Option<Arc<str>>,
    /// Its kind.
    pub kind: Arc<str>,
    /// Its identity.
    pub content_hash: [u8; 32],
    /// The first 12 hexadecimal digits of the digest of the canonical form.
    pub cmd_hash: [u8; 6],
    /// Its logical keys, each followed by NUL, which none contains.
    pub(super) keys: Option<Arc<str>>,
    /// The proposer's label.
    pub display_id: Option<Arc<str>>,
    /// Where it stands.
    pub state: LifecycleState,
    /// How often it was taken into execution.
    pub attempt: u32,
    /// Grows with every change of state.
    pub version: u32,
    /// How often it was proposed.
    pub seen_count: u64,
    /// When first.
    pub first_seen: i64,
    /// When last.
    pub last_seen: i64,
    /// When it lapses, if it does.
    pub lease_until: Option<i64>,
    /// When it ended.
    pub ended: i64,
    /// The order in which entries came.
    pub(super) number: u64,
}

impl Entry {
    /// Its logical keys.
    pub fn logical_keys(&self) -> impl Iterator<Item = &str> {
        self.keys.as_deref().unwrap_or_default().split_terminator('\0')
    }

    /// Whether its lease is over.
    pub(super) fn lapsed(&self, now: i64) -> bool {
        self.lease_until.is_some_and(|until| until <= now)
    }

    /// What a reader sees: a lapse that nobody has acted on yet has happened all the same.
    pub(super) fn seen_at(&self, now: i64) -> Self {
        let mut seen = self.clone();
        if self.lapsed(now) {
            seen.state = self.state.lapsed();
            seen.lease_until = None;
        }
        seen
    }
}

/// A logical key without its verb: the object and scope that related proposals share.
pub(super) fn target_of(logical_key: &str) -> &str {
    logical_key.split_once(':').map_or(logical_key, |(_, target)| target)
}
