//! The text form of a grammar: a TOML table, built in or registered, checked while it is read.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashSet};
use serde::Deserialize;

use super::action::VerbClass;
use super::grammar::{Arity, Effect, Grammar, OptionTable, ScopeRule, Syntax, Target, Verb};

/// Longest grammar text accepted, in bytes.
const MAX_TEXT: usize = 256 * 1024;

/// A grammar that is not valid, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({place})")]
pub struct GrammarError {
    /// What is wrong and what would be right.
    pub message: String,
    /// Where: `line 3, column 5`, `verb "stop"`, `pattern`.
    pub place: String,
}

impl GrammarError {
    pub(super) fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { message: message.into(), place: place.into() }
    }
}

/// A set of options by arity. Each string holds groups separated by white space; a group is the
/// spellings of one option, joined by `|`, the main one last: `-t|--time|--timeout`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OptionLists {
    /// Options that take a value, attached or as the next word.
    pub(super) value: String,
    /// Options without a value.
    pub(super) flag: String,
    /// Options whose value, if any, is attached (`--opt=v`) and never the next word.
    pub(super) optional: String,
    /// Options that eat the next word unless it starts with `-`.
    pub(super) greedy: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ScopeText {
    Last(String),
    All([String; 1]),
    Constant(BTreeMap<String, String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VerbText {
    path: Vec<String>,
    verb: Option<String>,
    #[serde(default = "other")]
    class: VerbClass,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    target: Target,
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    select: String,
    #[serde(default)]
    stops_at_operand: bool,
    #[serde(default)]
    value: String,
    #[serde(default)]
    flag: String,
    #[serde(default)]
    optional: String,
    #[serde(default)]
    greedy: String,
}

fn other() -> VerbClass {
    VerbClass::Other
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrammarText {
    tool: String,
    #[serde(default)]
    names: BTreeMap<String, String>,
    #[serde(default)]
    syntax: Syntax,
    #[serde(default)]
    uses_directory: bool,
    #[serde(default)]
    per_user: Option<String>,
    #[serde(default)]
    verb_follows_target: bool,
    #[serde(default)]
    script_after_dashes: bool,
    #[serde(default)]
    whole: Vec<String>,
    #[serde(default)]
    delegates: HashMap<String, String>,
    #[serde(default)]
    before: OptionLists,
    #[serde(default)]
    anywhere: OptionLists,
    #[serde(default)]
    scope: BTreeMap<String, ScopeText>,
    #[serde(default)]
    environment: BTreeMap<String, ScopeText>,
    #[serde(default)]
    sets: HashMap<String, OptionLists>,
    #[serde(default)]
    verb: Vec<VerbText>,
    #[serde(default)]
    kinds: HashMap<String, KindText>,
}

/// The short names of a kubectl resource type and the API group they stand in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KindText {
    #[serde(default)]
    also: String,
    #[serde(default)]
    group: String,
}

/// Reads and checks one grammar.
pub(super) fn parse(text: &str) -> Result<Grammar, GrammarError> {
    if text.len() > MAX_TEXT {
        return Err(GrammarError::new(
            "whole text",
            format!("a grammar may have {MAX_TEXT} bytes, this one has {}", text.len()),
        ));
    }
    let text_form: GrammarText = toml::from_str(text).map_err(|error| {
        let place =
            error.span().map_or_else(|| "whole text".into(), |span| place(text, span.start));
        GrammarError::new(place, error.message())
    })?;
    compile(text_form)
}

fn place(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let (line, column) = (before.matches('\n').count(), before[line_start..].chars().count());
    format!("line {}, column {}", line + 1, column + 1)
}

fn compile(text: GrammarText) -> Result<Grammar, GrammarError> {
    if text.tool.is_empty() {
        return Err(GrammarError::new("tool", "the tool must have a name"));
    }
    let names = if text.names.is_empty() {
        BTreeMap::from([(text.tool.clone(), text.tool.clone())])
    } else {
        text.names
    };
    let mut before = option_table(&text.before, "before")?;
    let mut anywhere = option_table(&text.anywhere, "anywhere")?;
    for help in ["-h", "--help"] {
        if before.get(help).is_none() && anywhere.insert(&[help], Arity::Flag) {
            anywhere.set_effect(help, &Effect::Help);
        }
    }
    for (option, rule) in text.scope {
        let effect = Effect::Scope(scope_rule(&option, rule)?);
        let found = before.set_effect(&option, &effect) | anywhere.set_effect(&option, &effect);
        if !found {
            return Err(GrammarError::new(
                format!("scope \"{option}\""),
                "the option is listed neither in [before] nor in [anywhere]",
            ));
        }
    }
    let sets = text
        .sets
        .iter()
        .map(|(name, lists)| Ok((name.as_str(), option_table(lists, &format!("sets.{name}"))?)))
        .collect::<Result<HashMap<_, _>, GrammarError>>()?;
    let environment = text
        .environment
        .into_iter()
        .map(|(variable, rule)| Ok((variable.clone(), scope_rule(&variable, rule)?)))
        .collect::<Result<_, GrammarError>>()?;
    let mut verbs = HashMap::default();
    let mut groups = HashSet::default();
    for verb in &text.verb {
        let compiled = std::sync::Arc::new(compile_verb(verb, &sets)?);
        for path in &verb.path {
            let words: Vec<&str> = path.split_whitespace().collect();
            if let [group, _] = words[..] {
                groups.insert(group.to_owned());
            } else if words.len() != 1 {
                return Err(GrammarError::new(
                    format!("verb \"{path}\""),
                    "a verb is written as one word or two",
                ));
            }
            if verbs.insert(words.join(" "), compiled.clone()).is_some() {
                return Err(GrammarError::new(format!("verb \"{path}\""), "given twice"));
            }
        }
    }
    Ok(Grammar {
        tool: text.tool,
        names,
        syntax: text.syntax,
        uses_directory: text.uses_directory,
        per_user: text.per_user,
        verb_follows_target: text.verb_follows_target,
        script_after_dashes: text.script_after_dashes,
        whole: text.whole,
        delegates: text.delegates,
        before,
        anywhere,
        environment,
        verbs,
        groups,
        kinds: text
            .kinds
            .into_iter()
            .flat_map(|(kind, text)| {
                let names: Vec<String> = text.also.split_whitespace().map(str::to_owned).collect();
                std::iter::once(kind.clone())
                    .chain(names)
                    .map(move |name| (name, (kind.clone(), text.group.clone())))
            })
            .collect(),
    })
}

/// `"key"`: the last value counts; `"key/"`: values are path parts; `["key"]`: all count;
/// `{ key = "value" }`: the option itself means this.
fn scope_rule(source: &str, text: ScopeText) -> Result<ScopeRule, GrammarError> {
    let place = || format!("scope \"{source}\"");
    let rule = match text {
        ScopeText::Last(key) => match key.strip_suffix('/') {
            Some(path) => ScopeRule::Path(path.to_owned()),
            None => ScopeRule::Last(key),
        },
        ScopeText::All([key]) => ScopeRule::All(key),
        ScopeText::Constant(pair) => match pair.into_iter().next() {
            Some((key, value)) => ScopeRule::Constant(key, value),
            None => return Err(GrammarError::new(place(), "the table must hold one key")),
        },
    };
    let key = rule.key();
    if !is_scope_key(key) {
        let message = format!("a scope key has the letters a to z, `-` and `_`, not {key:?}");
        return Err(GrammarError::new(place(), message));
    }
    Ok(rule)
}

/// Keys without `=`, `,` and `@` keep the logical key readable in one way only.
pub(super) fn is_scope_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'_')
}

fn compile_verb(text: &VerbText, sets: &HashMap<&str, OptionTable>) -> Result<Verb, GrammarError> {
    let Some(first) = text.path.first() else {
        return Err(GrammarError::new("verb", "path must list at least one spelling"));
    };
    let place = format!("verb \"{first}\"");
    let mut options = OptionTable::default();
    for name in &text.include {
        let set = sets.get(name.as_str()).ok_or_else(|| {
            GrammarError::new(&place, format!("includes the set {name:?}, which is not defined"))
        })?;
        options.extend(set);
    }
    options.extend(&option_table(
        &OptionLists {
            value: text.value.clone(),
            flag: text.flag.clone(),
            optional: text.optional.clone(),
            greedy: text.greedy.clone(),
        },
        &place,
    )?);
    let effects = text.select.split_whitespace().map(|option| (option, Effect::Select));
    let names = text.name.split_whitespace().map(|option| (option, Effect::Name));
    for (option, effect) in effects.chain(names) {
        if !options.set_effect(option, &effect) {
            return Err(GrammarError::new(&place, format!("{option} is not among its options")));
        }
    }
    Ok(Verb {
        name: text.verb.clone().unwrap_or_else(|| first.clone()),
        class: text.class,
        kind: text.kind.clone(),
        target: text.target,
        options,
        stops_at_operand: text.stops_at_operand,
    })
}

pub(super) fn option_table(lists: &OptionLists, place: &str) -> Result<OptionTable, GrammarError> {
    let mut table = OptionTable::default();
    let by_arity = [
        (Arity::Value, &lists.value),
        (Arity::Flag, &lists.flag),
        (Arity::Optional, &lists.optional),
        (Arity::Greedy, &lists.greedy),
    ];
    for (arity, groups) in by_arity {
        for group in groups.split_whitespace() {
            let spellings: Vec<&str> = group.split('|').collect();
            if let Some(odd) = spellings.iter().find(|spelling| !is_option(spelling)) {
                return Err(GrammarError::new(
                    place,
                    format!("{odd:?} is not an option: write -x or --long, joined by |"),
                ));
            }
            if !table.insert(&spellings, arity) {
                return Err(GrammarError::new(place, format!("{group} is listed twice")));
            }
        }
    }
    Ok(table)
}

fn is_option(spelling: &str) -> bool {
    match spelling.strip_prefix("--") {
        Some(name) => !name.is_empty() && !name.contains('='),
        // `-#` stands for a number: `-10`.
        None => spelling.strip_prefix('-').is_some_and(|name| {
            let mut letters = name.chars();
            letters.next().is_some_and(|c| c != '-') && letters.next().is_none()
        }),
    }
}
