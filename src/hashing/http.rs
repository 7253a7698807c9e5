//! The canonical form of a request: `METHOD SP path`, then `SP body` if there is a body.
//!
//! The method is a token (RFC 9110 section 5.6.2) in ASCII capitals. The path is in origin form or an
//! absolute URL; of RFC 3986 only section 6.2.2.1 (case) and 6.2.2.2 (percent-encoding) is applied,
//! since nothing else is safe without knowing the server. The fragment is never sent, so it is
//! dropped. Text outside ASCII becomes percent-encoded UTF-8, as every client sends it.
//!
//! A `%` that two hexadecimal digits do not follow makes the encoding of the whole target doubtful:
//! then every `%` in it stays as it is, so that two different targets never become one.

use thiserror::Error;

use super::buffer::Buffer;
use super::json::Limits;

/// Why a method or a path has no canonical form. Nothing of the value is repeated: it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The method is empty or has a character that no token has.
    #[error(
        "the method must be a token of RFC 9110, such as GET; character {at} of it is not allowed or missing"
    )]
    Method {
        /// Index of the offending byte.
        at: usize,
    },
    /// Neither a path that starts with a slash nor an absolute URL with a host.
    #[error("the path must start with / or be an absolute URL such as https://host/path")]
    Form,
    /// A space or control character, which would end the request target.
    #[error("the path has a space or control character at byte {at}; percent-encode it")]
    Character {
        /// Index of the offending byte.
        at: usize,
    },
    /// The target is longer than any payload may be.
    #[error("the path has more than {limit} bytes")]
    Length {
        /// The most bytes allowed.
        limit: usize,
    },
}

impl HttpError {
    /// A short word for programs.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Method { .. } => "method",
            Self::Form => "form",
            Self::Character { .. } => "character",
            Self::Length { .. } => "bytes",
        }
    }

    /// The argument it is about.
    pub fn argument(self) -> &'static str {
        match self {
            Self::Method { .. } => "method",
            _ => "path",
        }
    }
}

/// Appends `METHOD SP path`.
pub fn write_request_line(out: &mut Buffer, method: &str, path: &str) -> Result<(), HttpError> {
    write_method(out, method)?;
    out.push(b' ');
    write_target(out, path)
}

fn write_method(out: &mut Buffer, method: &str) -> Result<(), HttpError> {
    if let Some(at) = method.bytes().position(|byte| !is_token(byte)) {
        return Err(HttpError::Method { at });
    }
    if method.is_empty() {
        return Err(HttpError::Method { at: 0 });
    }
    out.extend(method.bytes().map(|byte| byte.to_ascii_uppercase()));
    Ok(())
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn write_target(out: &mut Buffer, path: &str) -> Result<(), HttpError> {
    let limit = Limits::DEFAULT.bytes;
    if path.len() > limit {
        return Err(HttpError::Length { limit });
    }
    if path.starts_with('/') && path.bytes().all(is_settled) {
        out.extend_from_slice(path.as_bytes());
        return Ok(());
    }
    if let Some((at, _)) = path.char_indices().find(|&(_, c)| c == ' ' || c.is_control()) {
        return Err(HttpError::Character { at });
    }
    let target = path.split_once('#').map_or(path, |(target, _fragment)| target);
    let percent = if has_malformed_percent(target) { Percent::Verbatim } else { Percent::Decode };
    if target.starts_with('/') {
        write_encoded(out, target, percent);
        return Ok(());
    }
    let (scheme, authority, rest) = split_url(target).ok_or(HttpError::Form)?;
    out.extend(scheme.bytes().map(|byte| byte.to_ascii_lowercase()));
    out.extend_from_slice(b"://");
    write_authority(out, authority, percent);
    write_encoded(out, rest, percent);
    Ok(())
}

/// Splits an absolute URL into scheme, authority, and path with query.
fn split_url(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_userinfo, host)| host);
    let has_host = !host.is_empty() && !host.starts_with(':');
    (is_scheme && has_host).then_some((scheme, authority, path))
}

/// Appends `userinfo@host:port`; only the host ignores case.
fn write_authority(out: &mut Buffer, authority: &str, percent: Percent) {
    let begin_of_host = authority.rfind('@').map_or(0, |at| at + 1);
    let (userinfo, host) = authority.split_at(begin_of_host);
    write_encoded(out, userinfo, percent);
    let begin = out.len();
    write_encoded(out, host, percent);
    // A backslash, which browsers read as a slash, makes a path of what follows it.
    if !authority.bytes().all(|byte| is_of_authority(byte) || !byte.is_ascii()) {
        return;
    }
    let mut rest = &mut out.as_mut_slice()[begin..];
    while let Some((first, others)) = rest.split_first_mut() {
        // The digits of a percent-encoding are capitals (section 6.2.2.1), in the host too.
        let digits = if *first == b'%' && percent == Percent::Decode { 2 } else { 0 };
        first.make_ascii_lowercase();
        rest = others.get_mut(digits..).unwrap_or_default();
    }
}

/// What happens to the percent-encodings of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Percent {
    /// Unreserved characters are decoded, the digits of the others capitalised.
    Decode,
    /// They stay as they are.
    Verbatim,
}

fn write_encoded(out: &mut Buffer, text: &str, percent: Percent) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        match encoded_byte(&bytes[at..]) {
            Some(decoded) if percent == Percent::Decode => {
                if is_unreserved(decoded) {
                    out.push(decoded);
                } else {
                    write_percent(out, decoded);
                }
                at += 3;
                continue;
            }
            _ if byte.is_ascii() => out.push(byte),
            _ => write_percent(out, byte),
        }
        at += 1;
    }
}

/// The byte that a percent-encoding at the start of `bytes` stands for.
fn encoded_byte(bytes: &[u8]) -> Option<u8> {
    let &[b'%', high, low, ..] = bytes else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

fn has_malformed_percent(target: &str) -> bool {
    let bytes = target.as_bytes();
    bytes.iter().enumerate().any(|(at, &byte)| byte == b'%' && encoded_byte(&bytes[at..]).is_none())
}

fn write_percent(out: &mut Buffer, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

/// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// What RFC 3986 section 3.2 allows.
fn is_of_authority(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:[]%@".contains(&byte)
}

/// Whether a byte of a target in origin form is its own canonical form wherever it stands.
fn is_settled(byte: u8) -> bool {
    matches!(byte, b'!' | b'"' | b'$' | b'&'..=b'~')
}
