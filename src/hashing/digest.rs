//! SHA-256 digests and their hexadecimal prefixes (FIPS 180-4).

use std::ops::Deref;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// The 32 bytes that are the identity of a canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of one contiguous canonical form.
    pub fn of(canonical: &[u8]) -> Self {
        Self(Sha256::digest(canonical).into())
    }

    /// The 32 bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first `length` lower-case hexadecimal digits.
    pub fn hex(&self, length: HexLength) -> Hex {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Hex { text, length }
    }
}

/// Digests a canonical form that arrives in pieces.
#[derive(Debug, Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `piece` to what is digested.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest of all pieces.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// How many hexadecimal digits of a digest to show: 1 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HexLength(u8);

impl HexLength {
    /// Twelve digits: `cmd_hash`, for people.
    pub const SHORT: Self = Self(12);
    /// All 64 digits.
    pub const FULL: Self = Self(64);

    /// Checks that `digits` is from 1 to 64.
    pub fn new(digits: i64) -> Result<Self, HexLengthError> {
        match u8::try_from(digits) {
            Ok(digits @ 1..=64) => Ok(Self(digits)),
            _ => Err(HexLengthError),
        }
    }
}

/// A length that no SHA-256 digest has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("length must be from 1 to 64 hexadecimal digits")]
pub struct HexLengthError;

/// Hexadecimal digits on the stack; dereferences to `str`.
#[derive(Debug, Clone, Copy)]
pub struct Hex {
    text: [u8; 64],
    length: HexLength,
}

impl Deref for Hex {
    type Target = str;

    fn deref(&self) -> &str {
        // Only ASCII digits are ever stored, so the fallback is never taken.
        std::str::from_utf8(&self.text[..usize::from(self.length.0)]).unwrap_or_default()
    }
}
