//! The compatibility hashes: what the published algorithm folds together, and what it does not.

use std::collections::HashMap;

use interlock::compat::voidforge::{
    JsValue, docker_logical_key, http_request_hash, shell_command_hash,
};
use interlock::hashing::digest::Digest;
use proptest::prelude::*;

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

fn object(members: &[(String, JsValue)]) -> JsValue {
    let members: HashMap<_, _> =
        members.iter().map(|(name, value)| (units(name), value.clone())).collect();
    JsValue::Object(members)
}

const SPACE: &str =
    "[ \t\n\u{b}\u{c}\r\u{a0}\u{1680}\u{2003}\u{2028}\u{202f}\u{3000}\u{feff}]{1,3}";

proptest! {
    #[test]
    fn white_space_of_javascript_is_one_blank(words in proptest::collection::vec("[a-z'\"\u{85}\u{200b}\u{180e}]{1,5}", 0..5), space in SPACE) {
        let spaced = format!("{space}{}{space}", words.join(&space));
        prop_assert_eq!(shell_command_hash(&units(&spaced)), Digest::of(words.join(" ").as_bytes()));
    }

    #[test]
    fn any_units_have_a_hash(command in proptest::collection::vec(any::<u16>(), 0..40)) {
        let text = String::from_utf16_lossy(&command);
        prop_assert_eq!(shell_command_hash(&command), shell_command_hash(&units(&text)));
        prop_assert_eq!(docker_logical_key(&command), docker_logical_key(&units(&text)));
    }

    #[test]
    fn nested_members_count_only_if_the_body_has_their_name(name in "[b-z]{1,4}", first in any::<bool>(), second in any::<bool>()) {
        let body = |value| object(&[("a".to_owned(), object(&[(name.clone(), JsValue::Bool(value))]))]);
        let hash = |value| http_request_hash(&units("post"), &units("/"), &body(value));
        prop_assert_eq!(hash(first), hash(second));
        let named = |value| object(&[("a".to_owned(), object(&[("a".to_owned(), JsValue::Bool(value))]))]);
        let hash = |value| http_request_hash(&units("post"), &units("/"), &named(value));
        prop_assert_eq!(hash(first) == hash(second), first == second);
    }
}

#[test]
fn what_every_object_inherits_is_read_too() {
    let body = object(&[("__proto__".to_owned(), object(&[])), ("a".to_owned(), JsValue::Null)]);
    let expected = Digest::of(br#"POST / {"__proto__":{"__proto__":{"__proto__":null}},"a":null}"#);
    assert_eq!(http_request_hash(&units("post"), &units("/"), &body), expected);
}

#[test]
fn the_key_of_a_command() {
    assert_eq!(
        docker_logical_key(&units("sudo DOCKER compose\u{a0}stop -t x web")).as_deref(),
        Some("stop:x")
    );
    assert_eq!(docker_logical_key(&units("doc\u{212a}er stop web")), None);
}
