//! Eight bytes at a time, in one register: names and strings are short.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
const BLANKS: u64 = 0x2020_2020_2020_2020;

/// Fewer than eight bytes as a little-endian word, filled up with zeros.
#[inline]
pub(super) fn of_rest(rest: &[u8]) -> u64 {
    debug_assert!(rest.len() < 8);
    // Two reads that overlap cover every length of their range; where they overlap, they agree.
    if let (Some(first), Some(last)) = (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        let last = u64::from(u32::from_le_bytes(*last)) << (8 * (rest.len() - 4));
        u64::from(u32::from_le_bytes(*first)) | last
    } else if let (Some(first), Some(last)) = (rest.first_chunk::<2>(), rest.last_chunk::<2>()) {
        let last = u64::from(u16::from_le_bytes(*last)) << (8 * (rest.len() - 2));
        u64::from(u16::from_le_bytes(*first)) | last
    } else {
        rest.first().map_or(0, |&byte| u64::from(byte))
    }
}

/// A word of `length` bytes, filled up with blanks.
#[inline]
pub(super) fn fill(word: u64, length: usize) -> u64 {
    word | BLANKS << (8 * length)
}

/// Not zero if one of eight bytes is below a blank, a quote or a backslash: what JSON escapes.
///
/// Each test is exact up to the lowest byte that passes it (Warren, Hacker's Delight, section 6-1).
#[inline]
pub(super) fn below_blank_quote_or_backslash(word: u64) -> u64 {
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word;
    let quote = below(word ^ (ONES * 0x22), 1);
    let backslash = below(word ^ (ONES * 0x5C), 1);
    (below(word, 0x20) | quote | backslash) & HIGH
}

/// Whether all eight bytes are ASCII.
#[inline]
pub(super) fn is_ascii(word: u64) -> bool {
    word & HIGH == 0
}
