//! The request line: idempotent, equal for spellings of one target, different for different ones.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test stops at the first surprise

use interlock::hashing::buffer::Buffer;
use interlock::hashing::http::{HttpError, write_request_line};
use proptest::prelude::*;

fn target(path: &str) -> Result<String, HttpError> {
    let mut out = Buffer::new();
    write_request_line(&mut out, "GET", path)?;
    let line = String::from_utf8_lossy(out.as_slice()).into_owned();
    Ok(line.trim_start_matches("GET ").to_owned())
}

/// What a server decodes: the model of what a well-formed target means, byte for byte. Reserved
/// characters that are encoded stay apart from those that are not.
fn meaning(path: &str) -> Vec<(u8, bool)> {
    let bytes = path.as_bytes();
    let mut meaning = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let encoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match encoded {
            Some(byte) if bytes[at] == b'%' => {
                let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
                meaning.push((byte, !unreserved));
                at += 3;
            }
            _ => {
                meaning.push((bytes[at], !bytes[at].is_ascii()));
                at += 1;
            }
        }
    }
    meaning
}

const WELL_FORMED: &str = "/([a-zA-Z0-9/?&=.~:@!$,;+*'()é\u{3000}-]|%[0-9a-fA-F]{2}){0,12}";
const UNENCODED: &str = "/[a-cA-C0-9/?&=.~:@é\u{3000}-]{0,12}";
const ANY: &str = "/([a-c0-9%é]|%[0-9a-fA-F]{2}){0,8}";

proptest! {
    #[test]
    fn one_form_is_one_meaning(left in WELL_FORMED, right in WELL_FORMED) {
        let (a, b) = (target(&left), target(&right));
        prop_assert_eq!(a == b, meaning(&left) == meaning(&right));
    }

    #[test]
    fn spellings_of_a_target_have_one_form(path in UNENCODED, upper in any::<bool>()) {
        let spelled: String = path
            .chars()
            .map(|c| match c {
                'a'..='c' | '~' => {
                    if upper { format!("%{:02X}", u32::from(c)) } else { format!("%{:02x}", u32::from(c)) }
                }
                other => other.to_string(),
            })
            .collect();
        prop_assert_eq!(target(&path), target(&spelled));
        prop_assert_eq!(target(&path), target(&format!("{path}#fragment")));
    }

    #[test]
    fn a_form_is_its_own_form(path in ANY) {
        let form = target(&path);
        prop_assert_eq!(form.clone().and_then(|form| target(&form)), form);
    }

    #[test]
    fn malformed_targets_never_merge(left in "/[ab%4]{0,7}", right in "/[ab%4]{0,7}") {
        prop_assert_eq!(target(&left) == target(&right), meaning_or_text(&left) == meaning_or_text(&right));
    }

    #[test]
    fn urls_ignore_the_case_of_scheme_and_host(host in "[a-zA-Z0-9.-]{1,8}", path in "/[a-zA-Z0-9/]{0,8}") {
        prop_assume!(!host.starts_with(':'));
        let url = format!("HTTPS://User@{host}:8080{path}");
        let expected = format!("https://User@{}:8080{path}", host.to_ascii_lowercase());
        prop_assert_eq!(target(&url), Ok(expected));
    }

    #[test]
    fn any_text_is_taken_or_refused(method in any::<String>(), path in any::<String>()) {
        let mut out = Buffer::new();
        let is_token = !method.is_empty() && method.bytes().all(|b| b.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&b));
        let written = write_request_line(&mut out, &method, &path);
        if written.is_ok() {
            prop_assert!(is_token);
            prop_assert!(!path.contains(' '));
            prop_assert!(out.as_slice().is_ascii());
        }
        if !is_token {
            let refused = matches!(written, Err(HttpError::Method { .. }));
            prop_assert!(refused);
        }
    }
}

/// A target with a malformed `%` means its own text; another one what it decodes to.
fn meaning_or_text(path: &str) -> Result<Vec<(u8, bool)>, String> {
    let malformed = path.split('%').skip(1).any(|rest| {
        let digits: String = rest.chars().take(2).collect();
        digits.len() < 2 || !digits.chars().all(|c| c.is_ascii_hexdigit())
    });
    if malformed { Err(path.to_owned()) } else { Ok(meaning(path)) }
}

#[test]
fn what_no_request_line_has_is_refused() {
    for path in ["/a b", "/a\tb", "/a\nb", "/\u{7f}", "/\0", "/\u{85}"] {
        assert!(matches!(target(path), Err(HttpError::Character { .. })), "{path:?}");
    }
    for path in ["", "a/b", "*", "http:/x", "://x", "http://", "http://:80/", "1http://x/"] {
        assert_eq!(target(path), Err(HttpError::Form), "{path:?}");
    }
}

#[test]
fn a_host_that_is_none_keeps_its_case() {
    for (one, other) in [
        ("http://h\\Path", "http://h\\path"),
        ("http://h\\@Path/", "http://h\\@path/"),
        ("http://h|A/", "http://h|a/"),
        ("http://h^A", "http://h^a"),
    ] {
        assert_ne!(target(one), target(other), "{one}");
    }
    for (one, other) in [
        ("http://[FE80::1]:80/", "http://[fe80::1]:80/"),
        ("http://A%c3%A9.x/", "http://aé.X/"),
        ("http://%41.x/", "http://a.X/"),
    ] {
        assert_eq!(target(one), target(other), "{one}");
    }
}

#[test]
fn nothing_else_is_normalised() {
    for path in ["/a/../b", "/a//b", "/?b=2&a=1", "/a/", "/a?", "http://h:80/", "http://h", "/%2f"]
    {
        let form = path.replace("%2f", "%2F");
        assert_eq!(target(path), Ok(form), "{path}");
    }
}
