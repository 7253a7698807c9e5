//! The order of names: arrays of UTF-16 code units (RFC 8785 section 3.2.3).

use std::cmp::Ordering;

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
pub fn order_prefix(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut prefix = [0; 8];
    let length = bytes.len().min(8);
    prefix[..length].copy_from_slice(&bytes[..length]);
    if !name.is_ascii() {
        for byte in &mut prefix {
            *byte = lift(*byte);
        }
    }
    u64::from_be_bytes(prefix)
}

fn lift(byte: u8) -> u8 {
    match byte {
        0xEE | 0xEF => byte + 0x10,
        _ => byte,
    }
}
