//! The order of names: arrays of UTF-16 code units (RFC 8785 section 3.2.3).

use std::cmp::Ordering;

use super::word;

/// Compares two names by their UTF-16 code units without converting them.
///
/// UTF-8 bytes order code points, and code points order differently only where a supplementary one
/// (lead byte F0 to F4; a surrogate in UTF-16) meets U+E000 to U+FFFF (lead byte EE or EF). Lifting
/// EE and EF above F4 is all it takes: no other kind of byte has these values.
pub fn utf16_order(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    match left.iter().zip(right).find(|(l, r)| l != r) {
        Some((&l, &r)) => lift(l).cmp(&lift(r)),
        None => left.len().cmp(&right.len()),
    }
}

/// The first eight bytes as a number in the same order: decides most comparisons at once. Names with
/// equal prefixes are compared in full, since a missing byte and NUL look the same here.
#[inline]
pub fn order_prefix(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let prefix = match bytes.first_chunk() {
        Some(first) => u64::from_le_bytes(*first),
        None => word::of_rest(bytes),
    };
    if word::is_ascii(prefix) {
        return prefix.swap_bytes();
    }
    u64::from_be_bytes(prefix.to_le_bytes().map(lift))
}

fn lift(byte: u8) -> u8 {
    match byte {
        0xEE | 0xEF => byte + 0x10,
        _ => byte,
    }
}
