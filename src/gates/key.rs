//! How a key is identified: hashes under a secret, so that nobody can aim a collision.

use std::hash::{BuildHasher, Hasher, RandomState};

use siphasher::sip128::{Hasher128, SipHasher13};

/// What identifies a key in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHash {
    /// Chooses the set and is the tag.
    pub place: u64,
    /// The second half of a 128-bit digest, where the table compares it.
    pub rest: u64,
}

/// The secret under which text is digested.
#[derive(Clone, Copy, Debug)]
pub struct Secret(pub(super) u64, pub(super) u64);

impl Secret {
    /// A fresh secret from the operating system's randomness.
    pub fn random() -> Self {
        let half = || RandomState::new().build_hasher().finish();
        Self(half(), half())
    }

    /// The same secret in every process: only for names that are constants in code.
    pub(super) const fn public() -> Self {
        Self(0, 0)
    }

    /// SipHash-1-3 with 128 bits of output (Aumasson and Bernstein, 2012) over `parts`, each
    /// preceded by its length, so that no two lists of parts are the same bytes.
    pub fn digest(&self, parts: &[&[u8]]) -> KeyHash {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.1);
        for part in parts {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        let digest = hasher.finish128();
        KeyHash { place: digest.h1, rest: digest.h2 }
    }
}

/// Joins hashes that are each already well distributed: one widening multiplication a step.
pub fn mix(seed: u64, hash: u64) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let product = u128::from(seed ^ ODD) * u128::from(hash ^ ODD.rotate_left(32) | 1);
    #[allow(clippy::cast_possible_truncation)] // the two halves
    let folded = (product as u64) ^ ((product >> 64) as u64);
    // Keeps what multiplication by an even number would lose.
    folded ^ hash.rotate_left(29)
}
