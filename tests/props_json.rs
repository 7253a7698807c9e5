//! Canonical JSON against a slow model: a tree, rendered at random, has the canonical form that the
//! model prints of the tree.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::format_push_string)] // a test stops at the first surprise

use interlock::hashing::buffer::Buffer;
use interlock::hashing::json::order::{order_prefix, utf16_order};
use interlock::hashing::json::text::write_text;
use interlock::hashing::json::{Fault, JsonError, Limits, Mode, number};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Tree {
    Null,
    Bool(bool),
    /// An optional sign and decimal digits without leading zeros.
    Integer(String),
    Float(f64),
    String(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]{0,10}",
        any::<String>(),
        proptest::collection::vec(
            prop_oneof![
                Just('\u{fffd}'),
                Just('\u{e000}'),
                Just('😀'),
                Just('\u{d7ff}'),
                Just('a'),
                Just('\0')
            ],
            0..4
        )
        .prop_map(|chars| chars.into_iter().collect()),
    ]
}

fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |value| value.is_finite()),
        (-2_000_000_000i64..2_000_000_000, 0..7i32).prop_map(|(digits, places)| {
            #[allow(clippy::cast_precision_loss)]
            let value = digits as f64 / 10f64.powi(places);
            value
        }),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        "(-?[1-9][0-9]{0,40}|0)".prop_map(Tree::Integer),
        finite().prop_map(Tree::Float),
        name().prop_map(Tree::String),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Tree::Array),
            proptest::collection::btree_map(name(), inner, 0..5)
                .prop_map(|members| Tree::Object(members.into_iter().collect())),
        ]
    })
}

/// The model: recursive, sorts real UTF-16, prints floats by trying precisions.
fn model(tree: &Tree) -> String {
    match tree {
        Tree::Null => "null".to_owned(),
        Tree::Bool(value) => value.to_string(),
        Tree::Integer(digits) => digits.clone(),
        Tree::Float(value) => model_float(*value),
        Tree::String(text) => model_string(text),
        Tree::Array(elements) => {
            format!("[{}]", elements.iter().map(model).collect::<Vec<_>>().join(","))
        }
        Tree::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name.encode_utf16().collect::<Vec<_>>());
            let members = members
                .iter()
                .map(|(name, value)| format!("{}:{}", model_string(name), model(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
    }
}

fn model_string(text: &str) -> String {
    let escaped = text.chars().map(|character| match character {
        '\u{8}' => r"\b".to_owned(),
        '\t' => r"\t".to_owned(),
        '\n' => r"\n".to_owned(),
        '\u{c}' => r"\f".to_owned(),
        '\r' => r"\r".to_owned(),
        '"' => r#"\""#.to_owned(),
        '\\' => r"\\".to_owned(),
        control if control < ' ' => format!("\\u{:04x}", u32::from(control)),
        other => other.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// ECMA-262 `Number::toString` from the shortest digits that Rust prints, exact below 10^21.
fn model_float(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let sign = if value < 0.0 { "-" } else { "" };
    if value.fract() == 0.0 && value.abs() < 1e21 {
        return format!("{value:.0}");
    }
    // Rust prints as few digits as tell the number apart, ECMAScript the nearest of that many, and of two the even one.
    let shortest = format!("{:e}", value.abs());
    let digits =
        shortest.split('e').next().unwrap_or_default().bytes().filter(u8::is_ascii_digit).count();
    let scientific = format!("{:.*e}", digits - 1, value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let point = exponent.parse::<i32>().unwrap_or_default() + 1;
    let length = i32::try_from(digits.len()).unwrap_or_default();
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or_default());
    if (-5..=0).contains(&point) {
        format!("{sign}0.{}{digits}", zeros(-point))
    } else if (1..=21).contains(&point) && point < length {
        let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or_default());
        format!("{sign}{whole}.{fraction}")
    } else {
        let (first, rest) = digits.split_at(1);
        let rest = if rest.is_empty() { String::new() } else { format!(".{rest}") };
        format!("{sign}{first}{rest}e{}{}", if point > 0 { "+" } else { "-" }, (point - 1).abs())
    }
}

/// One of the many texts of a tree; `choices` decides blanks, escapes and the order of members.
fn render(tree: &Tree, choices: &mut dyn FnMut() -> usize, out: &mut String) {
    let blanks = ["", "", " ", "\n\t", "\r "];
    out.push_str(blanks[choices() % 5]);
    match tree {
        Tree::String(text) => render_string(text, choices, out),
        Tree::Float(value) if choices().is_multiple_of(2) => {
            out.push_str(&format!("{value:e}").replace('e', ["e", "E"][choices() % 2]));
        }
        Tree::Float(value) => out.push_str(&format!("{value:?}")),
        Tree::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                render(element, choices, out);
            }
            out.push(']');
        }
        Tree::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            let shift = choices() % members.len().max(1);
            members.rotate_left(shift);
            out.push('{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                out.push_str(blanks[choices() % 5]);
                render_string(name, choices, out);
                out.push_str(blanks[choices() % 5]);
                out.push(':');
                render(value, choices, out);
            }
            out.push('}');
        }
        plain => out.push_str(&model(plain)),
    }
    out.push_str(blanks[choices() % 5]);
}

fn render_string(text: &str, choices: &mut dyn FnMut() -> usize, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        if choices().is_multiple_of(3) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04X}"));
            }
        } else if character == '/' {
            out.push_str("\\/");
        } else {
            let quoted = model_string(&character.to_string());
            out.push_str(&quoted[1..quoted.len() - 1]);
        }
    }
    out.push('"');
}

fn canonical(text: &str, mode: Mode) -> Result<String, JsonError> {
    let mut out = Buffer::new();
    write_text(&mut out, text, mode, &Limits::DEFAULT, 0)?;
    Ok(String::from_utf8_lossy(out.as_slice()).into_owned())
}

proptest! {
    #[test]
    fn every_rendering_has_the_form_of_the_model(tree in tree(), choices in proptest::collection::vec(0usize..60, 1..64)) {
        let mut next = choices.iter().cycle().copied();
        let mut text = String::new();
        render(&tree, &mut || next.next().unwrap_or_default(), &mut text);
        let expected = model(&tree);
        prop_assert_eq!(canonical(&text, Mode::Exact), Ok(expected.clone()));
        prop_assert_eq!(canonical(&expected, Mode::Exact), Ok(expected.clone()));
    }

    #[test]
    fn floats_print_as_ecmascript_does(value in finite()) {
        let mut out = Buffer::new();
        number::write_float(&mut out, value, Mode::Exact).map_err(|fault| TestCaseError::fail(fault.to_string()))?;
        let expected = model_float(value);
        prop_assert_eq!(out.as_slice(), expected.as_bytes());
        let mut out = Buffer::new();
        number::write_float(&mut out, value, Mode::Jcs).map_err(|fault| TestCaseError::fail(fault.to_string()))?;
        let mut peer = ryu_js::Buffer::new();
        prop_assert_eq!(out.as_slice(), peer.format_finite(value).as_bytes());
    }

    #[test]
    fn names_are_ordered_by_utf16(left in name(), right in name()) {
        let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
        let expected = units(&left).cmp(&units(&right));
        prop_assert_eq!(utf16_order(&left, &right), expected);
        prop_assert_eq!(order_prefix(&left).cmp(&order_prefix(&right)).then(expected), expected);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[\\[\\]{},:\"\\\\ue0-9.+\\-truefalsn \u{0}-\u{20}é]{0,40}") {
        if let Ok(form) = canonical(&text, Mode::Exact) {
            prop_assert_eq!(canonical(&form, Mode::Exact), Ok(form.clone()));
        }
    }

    #[test]
    fn digits_of_bytes_are_those_of_the_number(value in any::<u128>()) {
        prop_assert_eq!(number::decimal_digits(&value.to_le_bytes()), value.to_string());
    }

    #[test]
    fn strings_of_every_length_are_escaped_alike(text in "[ -~\u{0}-\u{1f}é]{0,90}") {
        let tree = Tree::String(text);
        prop_assert_eq!(canonical(&model(&tree), Mode::Exact), Ok(model(&tree)));
    }
}

#[test]
fn a_repeated_name_is_refused_however_it_is_spelled() {
    let error = canonical("{\"a\": {\"b\": 1,\n \"\\u0062\": 2}}", Mode::Exact);
    let Err(JsonError { path, fault: Fault::Duplicate { name, at } }) = error else {
        panic!("not refused as a duplicate: {error:?}");
    };
    assert_eq!((path.as_str(), name.as_str()), ("$.a", "b"));
    assert_eq!(at.to_string(), " at line 2, byte 16");
}

#[test]
fn what_is_not_json_is_refused_with_the_place() {
    for (text, path) in [
        ("", "$"),
        ("[1,]", "$[1]"),
        ("{\"a\":01}", "$.a"),
        ("{\"a\":1,}", "$"),
        ("{\"a\":1 \"b\":2}", "$"),
        ("{\"a\":{\"b\":[1],}}", "$.a"),
        ("{\"a\":1,\"b\" 2}", "$.b"),
        ("{\"a\":[{\"b\":1", "$.a[0]"),
        ("[1] 2", "$"),
        ("[\"\\ud800\"]", "$[0]"),
        ("[\"\\ud800\\u0061\"]", "$[0]"),
        ("[\"\\udc00\"]", "$[0]"),
        ("\"\t\"", "$"),
        ("{\"a b\":[nul]}", "$[\"a b\"][0]"),
        ("\u{feff}1", "$"),
        ("[1e400]", "$[0]"),
        ("-", "$"),
        ("1.", "$"),
        ("NaN", "$"),
    ] {
        let error = canonical(text, Mode::Exact).expect_err(text);
        assert_eq!(error.path, path, "{text}: {error}");
    }
}

#[test]
fn nesting_and_size_are_bounded() {
    let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
    assert!(canonical(&nested(128), Mode::Exact).is_ok());
    for hostile in [nested(129), "[".repeat(10_000_000), "{\"a\":".repeat(1_000_000)] {
        let error = canonical(&hostile, Mode::Exact).expect_err("too deep");
        assert!(matches!(error.fault, Fault::Depth { limit: 128 }), "{error}");
    }
    let wide = format!("[{}0]", "0,".repeat(1 << 20));
    assert!(matches!(
        canonical(&wide, Mode::Exact),
        Err(JsonError { fault: Fault::Values { .. }, .. })
    ));
    let long = " ".repeat((16 << 20) + 1);
    assert!(matches!(
        canonical(&long, Mode::Exact),
        Err(JsonError { fault: Fault::Bytes { .. }, .. })
    ));
}

#[test]
fn integers_are_exact_and_jcs_rounds_them() {
    for (text, exact, jcs) in [
        ("9007199254740993", "9007199254740993", "9007199254740992"),
        ("1152921504606846977", "1152921504606846977", "1152921504606847000"),
        ("1152921504606846976.0", "1152921504606846976", "1152921504606847000"),
        ("1e21", "1e+21", "1e+21"),
        ("1000000000000000000000", "1000000000000000000000", "1e+21"),
        ("-0", "0", "0"),
        ("-0.0", "0", "0"),
    ] {
        assert_eq!(canonical(text, Mode::Exact).as_deref(), Ok(exact), "{text}");
        assert_eq!(canonical(text, Mode::Jcs).as_deref(), Ok(jcs), "{text}");
    }
}

#[test]
fn of_two_nearest_digits_the_even_one_is_printed() {
    let mut out = Buffer::new();
    number::write_float(&mut out, -1_007_502_937_997_852.3, Mode::Exact).unwrap();
    assert_eq!(out.as_slice(), b"-1007502937997852.2");
}
