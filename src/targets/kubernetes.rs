//! kubectl's `TYPE NAME…` and `TYPE/NAME…` operands.

use super::action::{Object, Objects};
use super::grammar::Grammar;
use super::operand::MAX_OBJECTS;
use super::option::Unclear;

/// The objects of a resource command; parameters (`key=value`, `key-`) are left out.
pub(super) fn resources<'w>(grammar: &Grammar, operands: &[&str]) -> Result<Objects<'w>, Unclear> {
    let is_parameter = |word: &&&str| word.contains('=') || word.ends_with('-');
    let words: Vec<&str> = operands.iter().filter(|word| !is_parameter(word)).copied().collect();
    if words.iter().any(|word| word.contains('/')) {
        return words
            .iter()
            .map(|word| {
                let (kind, name) = word.split_once('/').ok_or(Unclear)?;
                object(grammar, kind, name)
            })
            .collect();
    }
    let Some((kinds, names)) = words.split_first() else {
        return Ok(Objects::new());
    };
    if names.is_empty() {
        return Ok(Objects::new());
    }
    let kinds: Vec<&str> = kinds.split(',').collect();
    if kinds.len().saturating_mul(names.len()) > MAX_OBJECTS {
        return Err(Unclear);
    }
    let pairs = kinds.iter().flat_map(|kind| names.iter().map(move |name| (kind, name)));
    pairs.map(|(kind, name)| object(grammar, kind, name)).collect()
}

/// `POD` or `TYPE/NAME`.
pub(super) fn pod<'w>(grammar: &Grammar, operands: &[&str]) -> Result<Objects<'w>, Unclear> {
    match operands {
        [word] if word.contains('/') => resources(grammar, operands),
        names => named("pod", names),
    }
}

/// Names of objects of one kind; `kind/name` is accepted as kubectl does.
pub(super) fn named<'w>(kind: &str, names: &[&str]) -> Result<Objects<'w>, Unclear> {
    names
        .iter()
        .map(|name| match name.split_once('/') {
            None => Ok(Object::qualified(format!("{kind}/{name}"))),
            Some((given, name)) if given == kind || given.strip_suffix('s') == Some(kind) => {
                Ok(Object::qualified(format!("{kind}/{name}")))
            }
            Some(_) => Err(Unclear),
        })
        .collect()
}

fn object(grammar: &Grammar, kind: &str, name: &str) -> Result<Object<'static>, Unclear> {
    if kind.is_empty() || name.is_empty() || kind.eq_ignore_ascii_case("all") {
        return Err(Unclear);
    }
    Ok(Object::qualified(format!("{}/{name}", singular(grammar, kind))))
}

/// The singular of a built-in type, whatever short name, plural, version or group it is written
/// with; a custom type stays as it is written.
fn singular(grammar: &Grammar, kind: &str) -> String {
    let lower = kind.to_ascii_lowercase();
    let (word, group) = lower.split_once('.').unwrap_or((&lower, ""));
    match grammar.kinds.get(word) {
        Some((singular, expected)) if group.is_empty() || in_group(group, expected) => {
            singular.clone()
        }
        _ => kind.to_owned(),
    }
}

/// `apps`, or `v1.apps` with any version.
fn in_group(written: &str, group: &str) -> bool {
    let version = |text: &str| {
        text.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    written == group
        || (group.is_empty() && version(written))
        || written.split_once('.').is_some_and(|(first, rest)| version(first) && rest == group)
}
