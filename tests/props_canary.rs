//! Canaries: every token is found in every encoding it may surface in, and nothing else is.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test stops at the first surprise

use interlock::canary::{Canary, Encoding, PREFIX, TOKEN_LEN, scan};
use proptest::prelude::*;

fn canary() -> impl Strategy<Value = Canary> {
    (0..1_u32 << 20, 0..1_u32 << 10, 0..1_u32 << 10, 0..1_u32 << 20)
        .prop_map(|(org, endpoint, field, serial)| Canary { org, endpoint, field, serial })
}

fn token(canary: Canary) -> String {
    canary.encode().unwrap()
}

/// Text around a token that cannot itself continue one.
fn surroundings() -> impl Strategy<Value = String> {
    "[ -~é]{0,40}".prop_filter("contains no prefix", |text| {
        !text.to_ascii_lowercase().contains(std::str::from_utf8(PREFIX).unwrap())
    })
}

fn base64(bytes: &[u8], last: [char; 2]) -> String {
    let digits: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(last).collect();
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_usize, |word, &byte| word << 8 | usize::from(byte))
            << (8 * (3 - chunk.len()));
        for position in 0..=chunk.len() {
            text.push(digits[word >> (18 - 6 * position) & 63]);
        }
    }
    text
}

fn escaped(text: &str, write: impl Fn(u8) -> String) -> String {
    text.bytes().map(write).collect()
}

proptest! {
    #[test]
    fn a_token_says_what_was_put_into_it(canary in canary()) {
        let text = token(canary);
        prop_assert_eq!(text.len(), TOKEN_LEN);
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte)));
        prop_assert_eq!(Canary::decode(text.as_bytes()), Some(canary));
        prop_assert_eq!(Canary::decode(text.to_uppercase().as_bytes()), Some(canary));
    }

    #[test]
    fn one_wrong_digit_is_no_token(canary in canary(), at in PREFIX.len()..TOKEN_LEN, digit in 0..32_usize) {
        let mut text = token(canary).into_bytes();
        let other = b"abcdefghijklmnopqrstuvwxyz234567"[digit];
        prop_assume!(text[at] != other);
        text[at] = other;
        prop_assert_eq!(Canary::decode(&text), None);
    }

    #[test]
    fn it_is_found_wherever_it_stands(canary in canary(), before in surroundings(), after in surroundings()) {
        let text = format!("{before}{}{after}", token(canary));
        let hits = scan(text.as_bytes());
        prop_assert!(hits.iter().any(|hit| hit.canary == Some(canary) && hit.start == before.len()));
    }

    #[test]
    fn it_is_found_in_every_encoding(canary in canary(), before in "[a-z ]{0,9}", after in "[a-z ]{0,9}") {
        let plain = format!("{before} {} {after}", token(canary));
        let encodings = [
            (escaped(&plain, |byte| format!("\\u{byte:04x}")), Encoding::Escaped),
            (escaped(&plain, |byte| format!("%{byte:02X}")), Encoding::Escaped),
            (escaped(&plain, |byte| format!("&#{byte};")), Encoding::Escaped),
            (escaped(&plain, |byte| format!("&#x{byte:x};")), Encoding::Escaped),
            (escaped(&plain, |byte| format!("{byte:02x}")), Encoding::Hex),
            (base64(plain.as_bytes(), ['+', '/']), Encoding::Base64),
            (base64(plain.as_bytes(), ['-', '_']), Encoding::Base64),
        ];
        for (text, encoding) in encodings {
            let hits = scan(format!("x={text}").as_bytes());
            prop_assert!(
                hits.iter().any(|hit| hit.canary == Some(canary) && hit.encoding == encoding),
                "{encoding:?} in {text}: {hits:?}"
            );
        }
    }

    #[test]
    fn it_is_found_through_two_encodings(canary in canary()) {
        let inner = escaped(&token(canary), |byte| format!("%{byte:02x}"));
        let outer = base64(format!("{{\"next\":\"{inner}\"}}").as_bytes(), ['-', '_']);
        prop_assert!(scan(outer.as_bytes()).iter().any(|hit| hit.canary == Some(canary)));
    }

    #[test]
    fn a_cut_token_still_names_its_org(canary in canary(), length in 8..TOKEN_LEN) {
        let text = format!("\"{}...\"", &token(canary)[..length]);
        let hits = scan(text.as_bytes());
        prop_assert_eq!(hits.len(), 1);
        prop_assert_eq!((hits[0].org, hits[0].canary), (canary.org, None));
    }

    #[test]
    fn arbitrary_bytes_are_scanned_without_a_find(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assume!(!bytes.windows(4).any(|window| window.eq_ignore_ascii_case(PREFIX)));
        prop_assert!(scan(&bytes).iter().all(|hit| hit.encoding != Encoding::Raw));
    }
}

#[test]
fn a_part_that_does_not_fit_is_refused_by_name() {
    let wide = Canary { org: 1 << 20, endpoint: 0, field: 0, serial: 0 };
    let error = wide.encode().unwrap_err();
    assert_eq!((error.part, error.value, error.max), ("org", 1 << 20, (1 << 20) - 1));
}
