//! The signature that makes a session's org tamper-evident: HMAC-SHA256 (RFC 2104) over the
//! backend, the expiry and the org, checked inside PostgreSQL by `interlock.current_org()`.

use std::fmt::{self, Write as _};

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::org::OrgId;

/// The shortest key, in bytes: the output length of SHA-256 (RFC 2104 §3).
pub const MIN_KEY_LENGTH: usize = 32;

/// The block length of SHA-256, in bytes.
pub const BLOCK_LENGTH: usize = 64;

/// A key shorter than [`MIN_KEY_LENGTH`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a scope key needs at least {MIN_KEY_LENGTH} bytes")]
pub struct KeyTooShort;

/// A key ready to sign: both pads are hashed once, so that each signature costs the same two blocks.
#[derive(Clone)]
pub struct SealKey {
    inner: Sha256,
    outer: Sha256,
    pads: Pads,
    id: String,
}

/// The two padded keys of RFC 2104: what the database stores. As secret as the key itself.
#[derive(Clone)]
pub struct Pads {
    /// Each byte of the key XOR 0x36.
    pub inner: [u8; BLOCK_LENGTH],
    /// Each byte of the key XOR 0x5c.
    pub outer: [u8; BLOCK_LENGTH],
}

impl SealKey {
    /// A key of at least [`MIN_KEY_LENGTH`] secret bytes.
    pub fn new(secret: &[u8]) -> Result<Self, KeyTooShort> {
        if secret.len() < MIN_KEY_LENGTH {
            return Err(KeyTooShort);
        }
        let mut block = [0u8; BLOCK_LENGTH];
        if secret.len() > BLOCK_LENGTH {
            block[..32].copy_from_slice(&Sha256::digest(secret));
        } else {
            block[..secret.len()].copy_from_slice(secret);
        }
        let pads =
            Pads { inner: block.map(|byte| byte ^ 0x36), outer: block.map(|byte| byte ^ 0x5c) };
        let mut key = Self {
            inner: Sha256::new_with_prefix(pads.inner),
            outer: Sha256::new_with_prefix(pads.outer),
            pads,
            id: String::new(),
        };
        // An HMAC of a constant names the key without helping to find it.
        let mut id = key.hmac(b"interlock scope key id");
        id.truncate(16);
        key.id = id;
        Ok(key)
    }

    /// 16 hexadecimal digits that name the key and reveal nothing of it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What `interlock.current_org()` needs to verify.
    pub const fn pads(&self) -> &Pads {
        &self.pads
    }

    /// `<key id>.<expiry>.<mac>`: valid for `org` in the session of backend `pid` until `expiry`
    /// (seconds since the epoch).
    pub fn seal(&self, pid: i32, org: &OrgId, expiry: i64) -> String {
        // The org comes last: it is the only part that may hold any separator.
        let mac = self.hmac(format!("interlock.scope.1|{pid}|{expiry}|{org}").as_bytes());
        format!("{}.{expiry}.{mac}", self.id)
    }

    fn hmac(&self, message: &[u8]) -> String {
        let inner = self.inner.clone().chain_update(message).finalize();
        let outer = self.outer.clone().chain_update(inner).finalize();
        outer.iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}"); // writing to a String cannot fail
            hex
        })
    }
}

/// Shows the id alone: a key must never reach a log.
impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", self.id)
    }
}
