//! An org id: what may be one, and when two are the same org.

use std::fmt;
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
    Text(Arc<str>),
}

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
        Self(Repr::Text(number.to_string().into()))
    }

    /// The org of a text matching `[A-Za-z0-9_.:@-]{1,128}` in full.
    pub fn parse(text: &str) -> Result<Self, OrgIdError> {
        if text.is_empty() {
            return Err(OrgIdError::Empty);
        }
        if text.len() > MAX_ORG_ID_LENGTH {
            return Err(OrgIdError::TooLong);
        }
        if !text.bytes().all(is_org_id_byte) {
            return Err(OrgIdError::Character);
        }
        Ok(Self(match hyphenated_uuid(text.as_bytes()) {
            Some(uuid) => Repr::Uuid(uuid),
            None => Repr::Text(text.into()),
        }))
    }
}

/// The canonical text.
impl fmt::Display for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Text(text) => f.write_str(text),
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

fn is_org_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.:@-".contains(&byte)
}

/// The value of 8-4-4-4-12 hexadecimal digits with hyphens (RFC 9562 §4), and of nothing else:
/// 32 bare digits or `urn:uuid:` stay the text they are.
fn hyphenated_uuid(text: &[u8]) -> Option<u128> {
    if text.len() != 36 {
        return None;
    }
    let mut value = 0u128;
    for (position, &byte) in text.iter().enumerate() {
        if matches!(position, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
        } else {
            value = value << 4 | u128::from(char::from(byte).to_digit(16)?);
        }
    }
    Some(value)
}
