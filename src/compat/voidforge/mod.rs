//! The hashes of the `VoidForge` pattern `llm-state-dedup`, faults included, for migration only.
//!
//! The reference is JavaScript, so text here is UTF-16 and may hold lone surrogates, white space is
//! what ECMAScript calls so, and a body is printed by `JSON.stringify` with its own top-level keys as
//! the array replacer. Each function names the specification it follows (ECMA-262).

mod docker;
mod stringify;

use crate::hashing::digest::Digest;

pub use docker::docker_logical_key;
pub use stringify::JsValue;

/// `shellCommandHash`: white space trimmed and collapsed, quotes notwithstanding.
///
/// The reference then shortens white space after a quote to one space, which it is by then.
pub fn shell_command_hash(command: &[u16]) -> Digest {
    let words = command.split(|&unit| is_white_space(unit)).filter(|word| !word.is_empty());
    let mut canonical = Vec::with_capacity(command.len());
    for word in words {
        if !canonical.is_empty() {
            canonical.push(u16::from(b' '));
        }
        canonical.extend_from_slice(word);
    }
    digest(&canonical)
}

/// `httpRequestHash`: `METHOD path body`, where a falsy body is nothing.
pub fn http_request_hash(method: &[u16], path: &[u16], body: &JsValue) -> Digest {
    let mut canonical = upper_case(method);
    canonical.push(u16::from(b' '));
    canonical.extend_from_slice(path);
    canonical.push(u16::from(b' '));
    if body.is_truthy() {
        stringify::write_with_own_keys(&mut canonical, body);
    }
    digest(&canonical)
}

/// SHA-256 of text as Node encodes it: UTF-8, with U+FFFD for each lone surrogate.
fn digest(text: &[u16]) -> Digest {
    Digest::of(String::from_utf16_lossy(text).as_bytes())
}

/// `String.prototype.toUpperCase` (section 22.1.3.28): full case conversion without a locale.
fn upper_case(text: &[u16]) -> Vec<u16> {
    let mut upper = Vec::with_capacity(text.len());
    for character in char::decode_utf16(text.iter().copied()) {
        match character {
            Ok(character) => {
                for character in character.to_uppercase() {
                    upper.extend_from_slice(character.encode_utf16(&mut [0; 2]));
                }
            }
            Err(lone) => upper.push(lone.unpaired_surrogate()),
        }
    }
    upper
}

/// `WhiteSpace` and `LineTerminator` (sections 12.2 and 12.3), which `trim` and `\s` share.
fn is_white_space(unit: u16) -> bool {
    matches!(
        unit,
        0x09..=0x0D
            | 0x20
            | 0xA0
            | 0x1680
            | 0x2000..=0x200A
            | 0x2028
            | 0x2029
            | 0x202F
            | 0x205F
            | 0x3000
            | 0xFEFF
    )
}
