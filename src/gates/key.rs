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

/// Texts of up to so many bytes are hashed as they are, longer ones by their digest.
const SHORT: usize = 64;

/// The hash of rate-limited keys: multilinear over 128-bit integers, the upper half of which is strongly
/// universal (Lemire and Kaser, "Strongly universal string hashing is fast", 2014).
///
/// So two keys of whatever choice have one hash with a probability of 2^-64, at two multiplications for
/// eight bytes.
pub(super) struct KeyHasher {
    secret: Secret,
    event: u128,
    tenant: u128,
    length: u128,
    words: [u128; SHORT / 8],
}

impl KeyHasher {
    /// The same for all who know `secret`.
    pub(super) fn new(secret: Secret) -> Self {
        let multiplier = |number: usize| {
            let KeyHash { place, rest } = secret.digest(&[b"key", &number.to_le_bytes()]);
            u128::from(place) << 64 | u128::from(rest)
        };
        let [event, tenant, length] = std::array::from_fn(multiplier);
        Self {
            secret,
            event,
            tenant,
            length,
            words: std::array::from_fn(|word| multiplier(3 + word)),
        }
    }

    pub(super) const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// What all keys of an event have in common.
    pub(super) const fn seed(&self, event: u64) -> u128 {
        self.event.wrapping_mul(event as u128)
    }

    /// The key of a tenant (0 for none) and a subkey, which may be absent.
    #[allow(clippy::inline_always)] // every call of a gate begins with it
    #[inline(always)]
    pub(super) fn key(&self, seed: u128, tenant: u64, subkey: Option<&[u8]>) -> KeyHash {
        let seed = seed.wrapping_add(self.tenant.wrapping_mul(u128::from(tenant)));
        let Some(text) = subkey else {
            return Self::mixed_half(
                seed.wrapping_add(self.length.wrapping_mul(u128::from(u64::MAX))),
            );
        };
        let seed = seed.wrapping_add(self.length.wrapping_mul(text.len() as u128));
        let mut words = self.words.iter();
        let mut add = |sum: u128, word: u64| {
            let multiplier = words.next().copied().unwrap_or_default();
            sum.wrapping_add(multiplier.wrapping_mul(u128::from(word)))
        };
        // Given the length, the words of a text tell all its bytes; the last two words may overlap.
        let sum = if text.len() > SHORT {
            let KeyHash { place, rest } = self.secret.digest(&[text]);
            let sum = add(seed, place);
            add(sum, rest)
        } else if let Some(last) = text.last_chunk() {
            let mut sum = seed;
            for word in text[..text.len() - 1].chunks_exact(8) {
                sum = add(sum, word.first_chunk().map_or(0, |word| u64::from_le_bytes(*word)));
            }
            add(sum, u64::from_le_bytes(*last))
        } else if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
            let [first, last] = [first, last].map(|half| u64::from(u32::from_le_bytes(*half)));
            add(seed, first << 32 | last)
        } else {
            add(seed, text.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)))
        };
        Self::mixed_half(sum)
    }

    /// Texts that differ in a counter have sums at even distances, which may all fall into a few sets. So
    /// the sum is mixed as the counter of `SplitMix64` is, one to one (Steele, Lea and Flood, 2014).
    const fn mixed_half(sum: u128) -> KeyHash {
        #[allow(clippy::cast_possible_truncation)] // what is left of it
        let half = (sum >> 64) as u64;
        let half = (half ^ half >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let half = (half ^ half >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        KeyHash { place: half ^ half >> 31, rest: 0 }
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
