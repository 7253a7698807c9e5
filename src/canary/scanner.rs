//! Finds tokens in a response, whatever it is encoded as.

use super::decoders::{MIN_RUN, base64, hex, is_base64, unescape};
use super::token::{Canary, ORG_LEN, PREFIX, TOKEN_LEN, is_digit, org_of_cut};

/// Encodings are undone at most this many deep: base64 of percent-encoded JSON is three.
const MAX_DEPTH: u8 = 3;

/// How a token was written where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// As planted, or in the other case.
    Raw,
    /// Behind JSON, percent or HTML escapes.
    Escaped,
    /// In base64 or base64url.
    Base64,
    /// In hexadecimal.
    Hex,
}

impl Encoding {
    /// The name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Escaped => "escaped",
            Self::Base64 => "base64",
            Self::Hex => "hex",
        }
    }
}

/// One token found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hit {
    /// Which org wrote it.
    pub org: u32,
    /// All of what the token says; `None` if it was cut after the org.
    pub canary: Option<Canary>,
    /// Where it begins in the scanned bytes; for an encoded token, where its run of encoded text begins.
    pub start: usize,
    /// The outermost encoding.
    pub encoding: Encoding,
}

/// Every token in `text`, in order of position, each (org, canary, encoding) once per position.
///
/// Time is linear in the length of `text` for a fixed depth.
pub fn scan(text: &[u8]) -> Vec<Hit> {
    let mut hits = Vec::new();
    search(text, None, 0, &mut hits);
    hits.sort_by_key(|hit| hit.start);
    hits.dedup();
    hits
}

/// Searches one layer, then the layers encoded in it. `outer` is the encoding and position of the first wrapping.
fn search(text: &[u8], outer: Option<(Encoding, usize)>, depth: u8, hits: &mut Vec<Hit>) {
    tokens(text, outer, hits);
    if depth == MAX_DEPTH {
        return;
    }
    if let Some(plain) = unescape(text) {
        search(&plain, outer.or(Some((Encoding::Escaped, 0))), depth + 1, hits);
    }
    for (start, run) in runs(text, |byte| byte.is_ascii_hexdigit()) {
        for skip in 0..2 {
            let inner = hex(&run[skip..]);
            search_decoded(&inner, outer.or(Some((Encoding::Hex, start))), depth, hits);
        }
    }
    for (start, run) in runs(text, is_base64) {
        // The run may begin with characters that are not part of the encoded text, so every alignment is tried.
        for skip in 0..4 {
            let inner = base64(&run[skip..]);
            search_decoded(&inner, outer.or(Some((Encoding::Base64, start))), depth, hits);
        }
    }
}

/// Text decoded at the wrong alignment is noise: only what looks like text is worth another layer.
fn search_decoded(inner: &[u8], outer: Option<(Encoding, usize)>, depth: u8, hits: &mut Vec<Hit>) {
    let printable = inner.iter().filter(|byte| (b' '..0x7F).contains(*byte)).count();
    if printable * 8 >= inner.len() * 7 {
        search(inner, outer, depth + 1, hits);
    } else {
        tokens(inner, outer, hits);
    }
}

fn tokens(text: &[u8], outer: Option<(Encoding, usize)>, hits: &mut Vec<Hit>) {
    let mut at = 0;
    while let Some(found) = prefix_from(text, at) {
        let rest = &text[found..];
        let (encoding, start) = outer.unwrap_or((Encoding::Raw, found));
        let canary = Canary::decode(rest);
        let org = canary.map(|canary| canary.org).or_else(|| cut_org(rest));
        if let Some(org) = org {
            hits.push(Hit { org, canary, start, encoding });
        }
        at = found + if canary.is_some() { TOKEN_LEN } else { 1 };
    }
}

/// A token that ends early. One of full length with a wrong checksum is somebody else's text.
fn cut_org(text: &[u8]) -> Option<u32> {
    let length = text.iter().take(TOKEN_LEN).take_while(|&&byte| is_digit(byte)).count();
    (ORG_LEN..TOKEN_LEN).contains(&length).then(|| org_of_cut(text))?
}

fn prefix_from(text: &[u8], from: usize) -> Option<usize> {
    text.get(from..)?
        .windows(PREFIX.len())
        .position(|window| window.eq_ignore_ascii_case(PREFIX))
        .map(|offset| from + offset)
}

/// The maximal runs of at least [`MIN_RUN`] bytes that satisfy `belongs`.
fn runs<'a>(
    text: &'a [u8],
    belongs: impl Fn(u8) -> bool + 'a,
) -> impl Iterator<Item = (usize, &'a [u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < text.len() {
            let start = at + text[at..].iter().position(|&byte| belongs(byte))?;
            let length = text[start..].iter().take_while(|&&byte| belongs(byte)).count();
            at = start + length;
            if length >= MIN_RUN {
                return Some((start, &text[start..at]));
            }
        }
        None
    })
}
