//! How a slot's words are packed.
//!
//! A slot is handed from key to key. Its tag carries a version that every handover raises, and each
//! other word of the slot carries the version it was written under: a word with another version
//! belongs to an earlier key and reads as empty. So a handover is one exchange of one word.

use super::limit::{EMITTED_BITS, State};
use super::occurrence::Occurrence;

pub(super) const VERSION_BITS: u32 = 10;
/// A count word also says which event of the directory it is of.
pub(super) const EVENT_BITS: u32 = 10;
const VERSION_MASK: u64 = (1 << VERSION_BITS) - 1;
const STATE_VERSION: u32 = 128 - VERSION_BITS;

/// The version of a tag word.
pub(super) const fn version(word: u64) -> u64 {
    word & VERSION_MASK
}

/// A word with the tag (or count) `value`, under `version`.
pub(super) const fn versioned(value: u64, version: u64) -> u64 {
    value << VERSION_BITS | (version & VERSION_MASK)
}

/// The tag (or count) of a word.
pub(super) const fn value(word: u64) -> u64 {
    word >> VERSION_BITS
}

/// The tag of a key's hash: the bits that did not choose the set, never 0, which is a vacant slot.
pub(super) const fn tag_of(place: u64) -> u64 {
    let tag = value(u64::MAX) & place;
    if tag == 0 { 1 } else { tag }
}

/// What a slot keeps of its key, in at most 118 bits; all zero is nothing.
pub(super) trait Record: Copy + PartialEq {
    fn pack(self) -> u128;
    fn unpack(bits: u128) -> Option<Self>;
    /// What evicting the key would lose; `span` is the slot's window or time to live, or 0.
    fn standing(self, span: u64, now: u64) -> Standing;
}

/// What evicting a key would lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing: the key is as good as unknown.
    AtRest,
    /// Some of its quota.
    Live { expiry: u64 },
    /// The flood would come back.
    Suppressing,
}

/// The state word for `record` under `version`.
pub(super) fn packed<R: Record>(record: Option<R>, version: u64) -> u128 {
    record.map_or(0, R::pack) | u128::from(version) << STATE_VERSION
}

/// The version of a state word.
pub(super) const fn state_version(word: u128) -> u64 {
    #[allow(clippy::cast_possible_truncation)] // ten bits
    let version = (word >> STATE_VERSION) as u64;
    version
}

/// The record in a state word.
pub(super) fn unpacked<R: Record>(word: u128) -> Option<R> {
    R::unpack(word & ((1 << STATE_VERSION) - 1))
}

const HIGH: u32 = 64;
const PRESENT: u128 = 1 << 117;
const MUTED: u128 = 1 << 116;

#[allow(clippy::cast_possible_truncation)] // fields are cut out of the word
impl Record for State {
    fn pack(self) -> u128 {
        let muted = if self.muted { MUTED } else { 0 };
        PRESENT | muted | u128::from(self.emitted) << HIGH | u128::from(self.time)
    }

    fn unpack(bits: u128) -> Option<Self> {
        let emitted = (bits >> HIGH) as u64 & ((1 << EMITTED_BITS) - 1);
        (bits & PRESENT != 0).then_some(Self {
            time: bits as u64,
            emitted,
            muted: bits & MUTED != 0,
        })
    }

    fn standing(self, span: u64, now: u64) -> Standing {
        let expiry = self.time.saturating_add(span);
        if now >= expiry {
            Standing::AtRest
        } else if self.muted {
            Standing::Suppressing
        } else {
            Standing::Live { expiry }
        }
    }
}

const REARMING: u128 = MUTED;
const FAILURES: u32 = 96;

#[allow(clippy::cast_possible_truncation)] // fields are cut out of the word
impl Record for Occurrence {
    fn pack(self) -> u128 {
        match self {
            Self::Armed => 0,
            Self::Fired { at, token, failures } => {
                PRESENT
                    | u128::from(failures) << FAILURES
                    | u128::from(token) << HIGH
                    | u128::from(at)
            }
            Self::Rearming { until, failures } => {
                PRESENT | REARMING | u128::from(failures) << FAILURES | u128::from(until)
            }
        }
    }

    fn unpack(bits: u128) -> Option<Self> {
        let failures = (bits >> FAILURES) as u8;
        let time = bits as u64;
        if bits & PRESENT == 0 {
            None
        } else if bits & REARMING == 0 {
            Some(Self::Fired { at: time, token: (bits >> HIGH) as u32, failures })
        } else {
            Some(Self::Rearming { until: time, failures })
        }
    }

    fn standing(self, span: u64, now: u64) -> Standing {
        match self {
            Self::Armed => Standing::AtRest,
            Self::Fired { at, .. } if span > 0 && now.saturating_sub(at) >= span => {
                Standing::AtRest
            }
            Self::Fired { .. } | Self::Rearming { .. } => Standing::Suppressing,
        }
    }
}
