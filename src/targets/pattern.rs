//! Grammars written as a regular expression.

use regex::{Regex, RegexBuilder};

use super::action::{Action, Object, Scope, ScopeValue, VerbClass, escaped};
use super::schema::{GrammarError, is_scope_key};
use super::wrapper::basename;

/// Longest pattern accepted, in bytes.
const MAX_PATTERN: usize = 4096;
/// Most memory the compiled pattern may take, in bytes.
const MAX_COMPILED: usize = 1 << 20;

/// A pattern with the groups `verb`, `target` and, for the scope, any others.
#[derive(Debug)]
pub(super) struct Pattern(Regex);

impl Pattern {
    pub(super) fn new(text: &str) -> Result<Self, GrammarError> {
        let error = |message: String| GrammarError::new("pattern", message);
        if text.len() > MAX_PATTERN {
            let length = text.len();
            return Err(error(format!(
                "a pattern may have {MAX_PATTERN} bytes, this one has {length}"
            )));
        }
        let regex = RegexBuilder::new(&format!(r"\A(?:{text})\z"))
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(MAX_COMPILED)
            .build()
            .map_err(|why| error(why.to_string()))?;
        for needed in ["verb", "target"] {
            if !regex.capture_names().flatten().any(|name| name == needed) {
                return Err(error(format!("the group (?P<{needed}>…) is missing")));
            }
        }
        if let Some(odd) = regex.capture_names().flatten().find(|name| !is_scope_key(name)) {
            return Err(error(format!(
                "the group name {odd:?} has other characters than a-z, - and _"
            )));
        }
        Ok(Self(regex))
    }

    /// The action of a simple command, given as its canonical words joined by single blanks.
    pub(super) fn read(&self, command: &str) -> Option<Action<'static>> {
        let groups = self.0.captures(command)?;
        let verb = groups.name("verb")?.as_str();
        let target = groups.name("target").map(|target| target.as_str());
        let scope: Scope = self
            .0
            .capture_names()
            .flatten()
            .filter(|name| !matches!(*name, "verb" | "target"))
            .filter_map(|name| Some((name.to_owned(), groups.name(name)?.as_str().to_owned())))
            .map(|(key, value)| (key, ScopeValue::One(value)))
            .collect();
        let action = Action {
            tool: basename(command.split(' ').next().unwrap_or(command)).into(),
            verb: verb.into(),
            verb_class: VerbClass::Other,
            objects: target
                .iter()
                .map(|target| Object { name: Some((*target).into()), key: escaped(target, b"/=") })
                .collect(),
            scope,
            dynamic: false,
        };
        Some(action.into_owned())
    }
}
