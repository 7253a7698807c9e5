//! Strings: the shortest escapes, everything else literal (RFC 8785 section 3.2.2.2).

use super::word;
use crate::hashing::buffer::Buffer;

/// A text of so many bytes is copied word by word, a longer one as a whole.
const SHORT: usize = 64;
const WORD: usize = 8;

/// Writes `text` as a JSON string.
#[inline]
pub fn write_string(out: &mut Buffer, text: &str) {
    write_between(out, b"\"", text, b"\"");
}

/// Writes `text` as the name of a member, with the colon, after a comma unless it is the first.
#[inline]
pub fn write_name(out: &mut Buffer, text: &str, is_first: bool) {
    if is_first {
        write_between(out, b"\"", text, b"\":");
    } else {
        write_between(out, b",\"", text, b"\":");
    }
}

/// Copies while it looks for what needs an escape: that is rare, so what was copied is then left.
#[inline]
fn write_between<const N: usize, const M: usize>(
    out: &mut Buffer,
    before: &[u8; N],
    text: &str,
    after: &[u8; M],
) {
    let bytes = text.as_bytes();
    let room = out.room(N + bytes.len() + WORD + M);
    room[..N].copy_from_slice(before);
    let is_literal = if bytes.len() <= SHORT {
        copy_words(bytes, &mut room[N..])
    } else {
        room[N..N + bytes.len()].copy_from_slice(bytes);
        let has_escaped =
            |block: &[u8]| block.iter().fold(false, |any, &byte| any | is_escaped(byte));
        !bytes.chunks(SHORT).any(has_escaped)
    };
    if is_literal {
        room[N + bytes.len()..][..M].copy_from_slice(after);
        out.advance(N + bytes.len() + M);
    } else {
        out.advance(N);
        write_escaped(out, bytes);
        out.extend_from_slice(after);
    }
}

/// Copies whole words, the last of which ends in zeros, and tells whether nothing needs an escape.
#[inline]
fn copy_words(bytes: &[u8], room: &mut [u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<WORD>();
    let (places, _) = room.as_chunks_mut::<WORD>();
    let last = word::of_rest(rest);
    let mut escaped = word::below_blank_quote_or_backslash(word::fill(last, rest.len()));
    for (word, place) in words.iter().zip(&mut *places) {
        escaped |= word::below_blank_quote_or_backslash(u64::from_le_bytes(*word));
        *place = *word;
    }
    if let Some(place) = places.get_mut(words.len()) {
        *place = last.to_le_bytes();
    }
    escaped == 0
}

#[cold]
fn write_escaped(out: &mut Buffer, mut rest: &[u8]) {
    while let Some(at) = rest.iter().position(|&byte| is_escaped(byte)) {
        out.extend_from_slice(&rest[..at]);
        write_escape(out, rest[at]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

fn is_escaped(byte: u8) -> bool {
    matches!(byte, 0..0x20 | b'"' | b'\\')
}

fn write_escape(out: &mut Buffer, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0C => b'f',
        b'\r' => b'r',
        b'"' | b'\\' => byte,
        _ => {
            let digits = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&digits);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}
