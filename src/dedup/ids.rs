//! The keys of entries, which tell their index where the entry is, and nobody else anything.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// The key of an entry: a UUID of version 8 (RFC 9562, section 5.8) whose last byte selects the shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(u128);

impl Id {
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

    /// A UUID has 60 bits of its own above the variant, and 62 below.
    fn new(upper: u64, lower: u64) -> Self {
        let high = (upper >> 12) << 16 | 8 << 12 | upper & 0xFFF;
        let low = 0b10 << 62 | lower & LOWER;
        Self(u128::from(high) << 64 | u128::from(low))
    }

    #[allow(clippy::cast_possible_truncation)] // a half is 64 bits
    fn parts(self) -> (u64, u64) {
        let (high, low) = ((self.0 >> 64) as u64, self.0 as u64);
        ((high >> 16) << 12 | high & 0xFFF, low & LOWER)
    }
}

const LOWER: u64 = (1 << 62) - 1;
const NUMBER_BITS: u32 = 28;

/// Makes the ids of an index. The lower half is a nonce; the upper one is the slot, and a part of the number that makes
/// a second id with one nonce and slot impossible, encrypted under it. Nonce and key stream are `SipHash` of secret
/// keys, a pseudorandom function: from the ids it sees, a tenant does not learn how much others propose.
#[derive(Default)]
pub(super) struct Ids {
    nonces: RandomState,
    key_streams: RandomState,
}

impl Ids {
    /// The id of the entry with this number, in this slot of the shard that the selector selects.
    pub(super) fn id(&self, number: u64, slot: u32, selector: u8) -> Id {
        let nonce = self.nonces.hash_one(number) << 8 | u64::from(selector);
        let number = number & ((1 << NUMBER_BITS) - 1);
        let place = u64::from(slot) << NUMBER_BITS | number;
        Id::new(place ^ self.key_stream(nonce & LOWER), nonce)
    }

    /// Where the entry with this id is, if it is one of ours.
    #[allow(clippy::cast_possible_truncation)] // the key stream is as long as a slot and the number
    pub(super) fn slot(&self, id: Id) -> u32 {
        let (upper, nonce) = id.parts();
        ((upper ^ self.key_stream(nonce)) >> NUMBER_BITS) as u32
    }

    fn key_stream(&self, nonce: u64) -> u64 {
        self.key_streams.hash_one(nonce) >> (32 - NUMBER_BITS)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Ids;

    proptest! {
        #[test]
        fn an_id_is_a_uuid_of_version_8_and_leads_to_its_slot(
            number in any::<u64>(), slot in any::<u32>(), selector in any::<u8>(),
        ) {
            let ids = Ids::default();
            let id = ids.id(number, slot, selector);
            prop_assert_eq!((ids.slot(id), id.selector()), (slot, selector));
            prop_assert_eq!((id.bits() >> 76 & 0xF, id.bits() >> 62 & 0b11), (8, 0b10));
            // Another index has other keys.
            prop_assert_ne!(Ids::default().id(number, slot, selector), id);
        }
    }
}
