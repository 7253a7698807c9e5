//! The 32 bytes that make two proposals the same.

use crate::hashing::digest::{Digest, Hasher};

/// Raised by a release that changes a canonical form: rows in flight are then compared under both.
pub const CANON_VERSION: i16 = 1;

/// The most bytes a canonical form and its context may have together.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// No canonical form starts with NUL, so this cannot be the start of one.
const CONTEXT_MARK: &[u8] = b"\0interlock.context\0";

/// Digests a canonical form and, where there is one, the canonical JSON of its context.
pub fn identity(canonical: &[u8], context: Option<&[u8]>) -> Digest {
    let Some(context) = context else { return Digest::of(canonical) };
    let mut hasher = Hasher::new();
    for piece in [CONTEXT_MARK, context, b"\0", canonical] {
        hasher.update(piece);
    }
    hasher.finish()
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}
