//! Undoes the encodings in which a response may carry text.

/// Shortest run worth decoding: an encoded token is longer in every encoding.
pub(super) const MIN_RUN: usize = 16;

/// Undoes JSON `\u0071`, percent `%71` and HTML `&#113;`, `&#x71;` escapes of ASCII characters, in one pass.
///
/// `None` if nothing was escaped. All other bytes stay as they are: only ASCII can be part of a token.
pub(super) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let first = text.iter().position(|byte| matches!(byte, b'\\' | b'%' | b'&'))?;
    let mut plain = Vec::with_capacity(text.len());
    plain.extend_from_slice(&text[..first]);
    let mut changed = false;
    let mut at = first;
    while at < text.len() {
        if let Some((byte, used)) = escape_at(&text[at..]) {
            plain.push(byte);
            at += used;
            changed = true;
        } else {
            plain.push(text[at]);
            at += 1;
        }
    }
    changed.then_some(plain)
}

fn escape_at(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'\\', b'u', b'0', b'0', high, low, ..] => Some((ascii(*high, *low)?, 6)),
        [b'%', high, low, ..] => Some((ascii(*high, *low)?, 3)),
        [b'&', b'#', b'x' | b'X', ..] => {
            number(&text[3..], 16).map(|(byte, used)| (byte, used + 3))
        }
        [b'&', b'#', ..] => number(&text[2..], 10).map(|(byte, used)| (byte, used + 2)),
        _ => None,
    }
}

/// A number up to `;`, if it is an ASCII character.
fn number(text: &[u8], radix: u32) -> Option<(u8, usize)> {
    let end = text.iter().take(8).position(|&byte| byte == b';')?;
    let code = text[..end]
        .iter()
        .try_fold(0_u32, |code, &byte| Some(code * radix + char::from(byte).to_digit(radix)?))?;
    let byte = u8::try_from(code).ok().filter(u8::is_ascii)?;
    (end > 0).then_some((byte, end + 1))
}

fn ascii(high: u8, low: u8) -> Option<u8> {
    Some(nibble(high)? << 4 | nibble(low)?).filter(u8::is_ascii)
}

fn nibble(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The bytes of hexadecimal text; a trailing odd digit is dropped.
pub(super) fn hex(run: &[u8]) -> Vec<u8> {
    run.chunks_exact(2).map_while(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

/// The bytes of base64 or base64url text without padding; trailing bits are dropped.
pub(super) fn base64(run: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(run.len() * 3 / 4);
    let mut bits = 0_u32;
    let mut held = 0;
    for value in run.iter().map_while(|&byte| sextet(byte)) {
        bits = (bits << 6 | u32::from(value)) & 0xFFFF;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xFF) as u8);
        }
    }
    bytes
}

pub(super) fn is_base64(byte: u8) -> bool {
    sextet(byte).is_some()
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}
