//! The token: `PREFIX org(4) endpoint(2) field(2) serial(4) checksum(2)` in lower-case base32.

use thiserror::Error;

/// The digits, lower case only: they survive URLs, CSV, file names, identifiers and case folding.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// What every token starts with. Rare in text, and not a run that base32 data favours.
pub const PREFIX: &[u8; 4] = b"qz7k";

/// Length of a token in characters; short enough for most `max_length` limits.
pub const TOKEN_LEN: usize = 18;

const ORG_DIGITS: usize = 4;
const ENDPOINT_DIGITS: usize = 2;
const FIELD_DIGITS: usize = 2;
const SERIAL_DIGITS: usize = 4;
const CHECKSUM_DIGITS: usize = 2;
const BODY_LEN: usize = TOKEN_LEN - CHECKSUM_DIGITS;

/// Length of a cut token that still names its org.
pub(super) const ORG_LEN: usize = PREFIX.len() + ORG_DIGITS;

/// Where a planted value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Canary {
    /// Index of the org that wrote it, below 2^20.
    pub org: u32,
    /// Index of the endpoint it was sent to, below 2^10.
    pub endpoint: u32,
    /// Index of the field it was put in, below 2^10.
    pub field: u32,
    /// Which write it was, below 2^20.
    pub serial: u32,
}

/// A part of a canary does not fit its digits.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{part} is {value}, but a canary holds at most {max}")]
pub struct CanaryError {
    /// `org`, `endpoint`, `field` or `serial`.
    pub part: &'static str,
    /// What was given.
    pub value: u32,
    /// The largest value that fits.
    pub max: u32,
}

impl Canary {
    /// The token of this canary.
    pub fn encode(&self) -> Result<String, CanaryError> {
        let mut token = PREFIX.to_vec();
        for (part, value, digits) in [
            ("org", self.org, ORG_DIGITS),
            ("endpoint", self.endpoint, ENDPOINT_DIGITS),
            ("field", self.field, FIELD_DIGITS),
            ("serial", self.serial, SERIAL_DIGITS),
        ] {
            push_digits(&mut token, part, value, digits)?;
        }
        let sum = checksum(&token);
        push_digits(&mut token, "checksum", sum, CHECKSUM_DIGITS)?;
        Ok(token.into_iter().map(char::from).collect())
    }

    /// Reads the token at the start of `text`, in either case; `None` if there is none or its checksum is wrong.
    pub fn decode(text: &[u8]) -> Option<Self> {
        let token = text.get(..TOKEN_LEN)?.to_ascii_lowercase();
        if !token.starts_with(PREFIX) {
            return None;
        }
        let (body, sum) = token.split_at(BODY_LEN);
        if digits(sum)? != checksum(body) {
            return None;
        }
        let (org, rest) = body[PREFIX.len()..].split_at(ORG_DIGITS);
        let (endpoint, rest) = rest.split_at(ENDPOINT_DIGITS);
        let (field, serial) = rest.split_at(FIELD_DIGITS);
        Some(Self {
            org: digits(org)?,
            endpoint: digits(endpoint)?,
            field: digits(field)?,
            serial: digits(serial)?,
        })
    }
}

/// The org of a token that was cut after its org digits, as a column or a preview may do.
pub(super) fn org_of_cut(text: &[u8]) -> Option<u32> {
    let head = text.get(..ORG_LEN)?.to_ascii_lowercase();
    head.starts_with(PREFIX).then_some(())?;
    digits(&head[PREFIX.len()..])
}

/// Whether a byte can be part of a token, in either case.
pub(super) fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || (b'2'..=b'7').contains(&byte)
}

fn push_digits(
    token: &mut Vec<u8>,
    part: &'static str,
    value: u32,
    count: usize,
) -> Result<(), CanaryError> {
    let max = (1_u32 << (5 * count)) - 1;
    if value > max {
        return Err(CanaryError { part, value, max });
    }
    for position in (0..count).rev() {
        token.push(ALPHABET[(value >> (5 * position)) as usize & 31]);
    }
    Ok(())
}

fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |value, &byte| {
        let digit = match byte {
            b'a'..=b'z' => byte - b'a',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return None,
        };
        Some(value << 5 | u32::from(digit))
    })
}

/// Ten bits that change with any one digit and with any swap of neighbours (1021 is prime, 37 a generator).
fn checksum(body: &[u8]) -> u32 {
    body.iter().fold(7, |sum, &byte| (sum * 37 + u32::from(byte)) % 1021)
}
