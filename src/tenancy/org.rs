//! An org id: what may be one, and when two are the same org.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use thiserror::Error;

/// The longest canonical text of an org id, in bytes.
pub const MAX_ORG_ID_LENGTH: usize = 128;

/// The org of a tenant. Two are equal exactly if their canonical texts are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrgId(Repr);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Repr {
    /// Also the text of 8-4-4-4-12 hexadecimal digits, in either case.
    Uuid(u128),
    /// Almost every other id: no allocation for a scope that lasts microseconds.
    Short(Short),
    Long(Arc<str>),
}

/// Padded with NUL. Aligned, so that a copy is three words and does not wait for single bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[repr(align(8))]
struct Short([u8; 24]);

/// Why a text cannot be an org id. Holds no part of the text, which may be hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OrgIdError {
    /// Empty text never is a tenant: PostgreSQL reads a reset setting as `''`.
    #[error("it is empty")]
    Empty,
    /// Longer than [`MAX_ORG_ID_LENGTH`].
    #[error("it is longer than {MAX_ORG_ID_LENGTH} characters")]
    TooLong,
    /// A character outside `[A-Za-z0-9_.:@-]`.
    #[error("it has a character outside [A-Za-z0-9_.:@-]")]
    Character,
}

impl OrgId {
    /// The org of a UUID.
    pub const fn from_uuid(uuid: u128) -> Self {
        Self(Repr::Uuid(uuid))
    }

    /// The org of an integer: its decimal text.
    pub fn from_i64(number: i64) -> Self {
        Self::from_canonical(&number.to_string())
    }

    /// The org of a text matching `[A-Za-z0-9_.:@-]{1,128}` in full.
    pub fn parse(text: &str) -> Result<Self, OrgIdError> {
        if text.is_empty() {
            return Err(OrgIdError::Empty);
        }
        if text.len() > MAX_ORG_ID_LENGTH {
            return Err(OrgIdError::TooLong);
        }
        if !text.bytes().all(|byte| CLASS[usize::from(byte)] != FORBIDDEN) {
            return Err(OrgIdError::Character);
        }
        Ok(match hyphenated_uuid(text.as_bytes()) {
            Some(uuid) => Self::from_uuid(uuid),
            None => Self::from_canonical(text),
        })
    }

    fn from_canonical(text: &str) -> Self {
        let mut short = Short([0; 24]);
        Self(match short.0.get_mut(..text.len()) {
            Some(bytes) => {
                bytes.copy_from_slice(text.as_bytes());
                Repr::Short(short)
            }
            None => Repr::Long(text.into()),
        })
    }
}

/// The canonical text.
impl fmt::Display for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Short(Short(bytes)) => bytes
                .iter()
                .take_while(|byte| **byte != 0)
                .try_for_each(|byte| f.write_char(char::from(*byte))),
            Repr::Long(text) => f.write_str(text),
            Repr::Uuid(uuid) => write!(
                f,
                "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                uuid >> 96,
                uuid >> 80 & 0xffff,
                uuid >> 64 & 0xffff,
                uuid >> 48 & 0xffff,
                uuid & 0xffff_ffff_ffff,
            ),
        }
    }
}

/// For each byte: the value of a hexadecimal digit, or [`ALLOWED`], or [`FORBIDDEN`].
const CLASS: [u8; 256] = {
    let mut class = [FORBIDDEN; 256];
    let mut byte = 0u8;
    while byte < 128 {
        class[byte as usize] = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'g'..=b'z' | b'G'..=b'Z' | b'_' | b'.' | b':' | b'@' | b'-' => ALLOWED,
            _ => FORBIDDEN,
        };
        byte += 1;
    }
    class
};
const ALLOWED: u8 = 16;
const FORBIDDEN: u8 = 17;

/// The value of 8-4-4-4-12 hexadecimal digits with hyphens (RFC 9562 §4), and of nothing else:
/// 32 bare digits or `urn:uuid:` stay the text they are.
fn hyphenated_uuid(text: &[u8]) -> Option<u128> {
    let text: &[u8; 36] = text.try_into().ok()?;
    let mut value = 0u128;
    for (position, &byte) in text.iter().enumerate() {
        if matches!(position, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = CLASS[usize::from(byte)];
        if digit >= ALLOWED {
            return None;
        }
        value = value << 4 | u128::from(digit);
    }
    Some(value)
}
