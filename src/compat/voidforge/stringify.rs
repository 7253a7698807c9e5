//! `JSON.stringify(body, Object.keys(body).sort())` (ECMA-262 section 25.5.2).

use std::collections::HashMap;

/// What `JSON.parse` makes of a body. Its depth must be bounded by whoever builds it.
#[derive(Debug, Clone, PartialEq)]
pub enum JsValue {
    /// `null`, and here `undefined` too: both are falsy.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string of UTF-16 code units.
    String(Vec<u16>),
    /// An array.
    Array(Vec<JsValue>),
    /// The own properties of an object.
    Object(HashMap<Vec<u16>, JsValue>),
}

impl JsValue {
    /// `ToBoolean` (section 7.1.2).
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Number(value) => *value != 0.0 && !value.is_nan(),
            Self::String(text) => !text.is_empty(),
            Self::Array(_) | Self::Object(_) => true,
        }
    }

    /// `Object.keys(value).sort()`: the default order is that of UTF-16 code units.
    fn sorted_keys(&self) -> Vec<Vec<u16>> {
        let mut keys: Vec<Vec<u16>> = match self {
            Self::Object(properties) => properties.keys().cloned().collect(),
            Self::Array(elements) => {
                (0..elements.len()).map(|index| units(&index.to_string())).collect()
            }
            // The indices of a string are keys as well, but no object is left for them to select from.
            _ => Vec::new(),
        };
        keys.sort_unstable();
        keys
    }
}

/// Writes a body that is not falsy, with its own keys as the property list at every depth.
pub(super) fn write_with_own_keys(out: &mut Vec<u16>, body: &JsValue) {
    let keys = body.sorted_keys();
    let ranks = keys.iter().enumerate().map(|(rank, key)| (key.as_slice(), rank)).collect();
    PropertyList { ranks }.write(out, body);
}

/// The array replacer: the only properties that are printed, and their order.
struct PropertyList<'k> {
    ranks: HashMap<&'k [u16], usize>,
}

impl PropertyList<'_> {
    fn write(&self, out: &mut Vec<u16>, value: &JsValue) {
        match value {
            JsValue::Bool(value) => push(out, if *value { "true" } else { "false" }),
            JsValue::Number(value) if value.is_finite() => {
                push(out, ryu_js::Buffer::new().format_finite(*value));
            }
            JsValue::Null | JsValue::Number(_) => push(out, "null"),
            JsValue::String(text) => write_quoted(out, text),
            JsValue::Array(elements) => {
                write_list(out, "[", elements, |out, element| self.write(out, element));
                push(out, "]");
            }
            JsValue::Object(properties) => self.write_object(out, properties),
        }
    }

    fn write_object(&self, out: &mut Vec<u16>, properties: &HashMap<Vec<u16>, JsValue>) {
        let rank_of = |key: &Vec<u16>| self.ranks.get(key.as_slice()).copied();
        let mut selected: Vec<(usize, &[u16], Option<&JsValue>)> = properties
            .iter()
            .filter_map(|(key, value)| Some((rank_of(key)?, key.as_slice(), Some(value))))
            .collect();
        let prototype = units("__proto__");
        if let (Some(rank), false) = (rank_of(&prototype), properties.contains_key(&prototype)) {
            selected.push((rank, &prototype, None));
        }
        selected.sort_unstable_by_key(|&(rank, ..)| rank);
        write_list(out, "{", &selected, |out, &(_, key, value)| {
            write_quoted(out, key);
            push(out, ":");
            match value {
                Some(value) => self.write(out, value),
                // Properties are read with inheritance. Of those that every object inherits, all are
                // functions, which are left out, but this one: the object that they come from, which
                // itself inherits from null.
                None => push(out, r#"{"__proto__":null}"#),
            }
        });
        push(out, "}");
    }
}

fn write_list<T>(
    out: &mut Vec<u16>,
    bracket: &str,
    items: &[T],
    mut write: impl FnMut(&mut Vec<u16>, &T),
) {
    push(out, bracket);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            push(out, ",");
        }
        write(out, item);
    }
}

/// `QuoteJSONString` (section 25.5.2.2): well-formed, so a lone surrogate is escaped.
fn write_quoted(out: &mut Vec<u16>, text: &[u16]) {
    push(out, "\"");
    for character in char::decode_utf16(text.iter().copied()) {
        match character {
            Ok('\u{8}') => push(out, r"\b"),
            Ok('\t') => push(out, r"\t"),
            Ok('\n') => push(out, r"\n"),
            Ok('\u{c}') => push(out, r"\f"),
            Ok('\r') => push(out, r"\r"),
            Ok('"') => push(out, r#"\""#),
            Ok('\\') => push(out, r"\\"),
            Ok(control @ '\0'..='\u{1f}') => push(out, &format!("\\u{:04x}", u32::from(control))),
            Ok(character) => out.extend_from_slice(character.encode_utf16(&mut [0; 2])),
            Err(lone) => push(out, &format!("\\u{:04x}", lone.unpaired_surrogate())),
        }
    }
    push(out, "\"");
}

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

fn push(out: &mut Vec<u16>, text: &str) {
    out.extend(text.encode_utf16());
}
