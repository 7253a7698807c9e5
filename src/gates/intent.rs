//! What a set is about to do: which key goes into which way.

/// An intent word: the tag word to write (64 bits), the way (16), whether it is to be done (1), and
/// a sequence number (47), so that an intent is never mistaken for an earlier one.
pub(super) struct Intent;

impl Intent {
    const WAY: u32 = 64;
    const PENDING: u128 = 1 << 80;
    const SEQUENCE: u32 = 81;

    pub(super) const fn pending(word: u128) -> bool {
        word & Self::PENDING != 0
    }

    pub(super) const fn publish(seen: u128, way: usize, word: u64) -> u128 {
        let sequence = (seen >> Self::SEQUENCE) + 1;
        sequence << Self::SEQUENCE | Self::PENDING | (way as u128) << Self::WAY | word as u128
    }

    #[allow(clippy::cast_possible_truncation)] // fields are cut out of the word
    pub(super) const fn target(intent: u128) -> (usize, u64) {
        ((intent >> Self::WAY) as u16 as usize, intent as u64)
    }

    pub(super) const fn done(intent: u128) -> u128 {
        intent & !Self::PENDING
    }
}
