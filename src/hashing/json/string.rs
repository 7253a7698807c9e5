//! Strings: the shortest escapes, everything else literal (RFC 8785 section 3.2.2.2).

use super::word;
use crate::hashing::buffer::Buffer;

/// A vector register of every machine.
const BLOCK: usize = 16;

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
    let (first, rest) = out.room(N + bytes.len() + M).split_at_mut(N);
    let (middle, last) = rest.split_at_mut(bytes.len());
    first.copy_from_slice(before);
    last.copy_from_slice(after);
    if copy_literal(bytes, middle) {
        out.advance(N + bytes.len() + M);
    } else {
        out.advance(N);
        write_escaped(out, bytes);
        out.extend_from_slice(after);
    }
}

/// Copies text to a place of its length, and tells whether nothing in it needs an escape.
#[allow(clippy::inline_always)] // a call costs a quarter of a short name
#[inline(always)]
fn copy_literal(text: &[u8], place: &mut [u8]) -> bool {
    // Of the same length, which the compiler cannot know.
    let place = &mut place[..text.len()];
    if text.len() >= BLOCK {
        return copy_blocks(text, place);
    }
    let escaped = word::below_blank_quote_or_backslash;
    let found = if let Some([first, last]) = copy_ends::<8>(text, place) {
        escaped(u64::from_le_bytes(first)) | escaped(u64::from_le_bytes(last))
    } else if let Some([first, last]) = copy_ends::<4>(text, place) {
        let [first, last] = [first, last].map(|half| u64::from(u32::from_le_bytes(half)));
        escaped(first | last << 32)
    } else if let Some([first, last]) = copy_ends::<2>(text, place) {
        let [first, last] = [first, last].map(|half| u64::from(u16::from_le_bytes(half)));
        escaped(word::fill(first | last << 16, 4))
    } else if let Some([[only], _]) = copy_ends::<1>(text, place) {
        escaped(word::fill(u64::from(only), 1))
    } else {
        0
    };
    found == 0
}

/// Copies text of N to 2 N bytes, as two words of N that overlap: without a loop. None if it is shorter.
#[inline]
fn copy_ends<const N: usize>(text: &[u8], place: &mut [u8]) -> Option<[[u8; N]; 2]> {
    let ends = [*text.first_chunk()?, *text.last_chunk()?];
    *place.first_chunk_mut()? = ends[0];
    *place.last_chunk_mut()? = ends[1];
    Some(ends)
}

/// The same for text of at least one block.
fn copy_blocks(text: &[u8], place: &mut [u8]) -> bool {
    let mut escaped = [0; BLOCK];
    let mut look = |block: &[u8; BLOCK]| {
        for (escaped, &byte) in escaped.iter_mut().zip(block) {
            *escaped |= u8::from(is_escaped(byte));
        }
    };
    let (blocks, _) = text.as_chunks::<BLOCK>();
    for (block, place) in blocks.iter().zip(place.as_chunks_mut::<BLOCK>().0) {
        look(block);
        *place = *block;
    }
    if let (Some(last), Some(place)) = (text.last_chunk(), place.last_chunk_mut()) {
        look(last);
        *place = *last;
    }
    escaped == [0; BLOCK]
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
