//! Org ids against the regular expression that defines them.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use interlock::tenancy::org::{OrgId, OrgIdError};
use proptest::prelude::*;
use regex::Regex;

/// The definition, word for word: what may be an id, and its canonical text.
fn model(text: &str) -> Option<String> {
    let allowed = Regex::new(r"\A[A-Za-z0-9_.:@-]{1,128}\z").unwrap();
    let uuid = Regex::new(
        r"\A[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}\z",
    )
    .unwrap();
    allowed
        .is_match(text)
        .then(|| if uuid.is_match(text) { text.to_ascii_lowercase() } else { text.to_owned() })
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[A-Za-z0-9_.:@-]{0,140}",
        "[A-Za-z0-9_.:@-]{1,40}[ \n\0'/é]?",
        "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}",
        "[0-9A-Fag]{8}-[0-9A-F]{4}-[0-9A-F]{4}[-_][0-9A-F]{4}-[0-9A-F]{12}\n?",
        "(urn:uuid:)?[0-9a-f]{32}",
    ]
}

proptest! {
    #[test]
    fn an_id_is_what_the_expression_says(text in texts()) {
        prop_assert_eq!(OrgId::parse(&text).ok().map(|org| org.to_string()), model(&text));
    }

    #[test]
    fn two_ids_are_one_org_exactly_if_their_canonical_texts_are_equal(a in texts(), b in texts()) {
        if let (Ok(one), Ok(other)) = (OrgId::parse(&a), OrgId::parse(&b)) {
            prop_assert_eq!(one == other, model(&a) == model(&b));
        }
        if let Ok(one) = OrgId::parse(&a) {
            prop_assert_eq!(OrgId::parse(&one.to_string()), Ok(one), "the canonical text is canonical");
        }
    }

    #[test]
    fn a_uuid_and_its_text_are_one_org(uuid in any::<u128>()) {
        let org = OrgId::from_uuid(uuid);
        prop_assert_eq!(OrgId::parse(&org.to_string().to_ascii_uppercase()), Ok(org));
    }

    #[test]
    fn an_integer_and_its_decimal_text_are_one_org(number in any::<i64>()) {
        prop_assert_eq!(OrgId::parse(&number.to_string()), Ok(OrgId::from_i64(number)));
    }
}

#[test]
fn a_refusal_says_why() {
    for (text, why) in [
        ("", OrgIdError::Empty),
        (&"x".repeat(129), OrgIdError::TooLong),
        ("x'; SET", OrgIdError::Character),
        ("a\0b", OrgIdError::Character),
        ("a\n", OrgIdError::Character),
    ] {
        assert_eq!(OrgId::parse(text), Err(why));
    }
}
