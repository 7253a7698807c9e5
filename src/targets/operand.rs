//! Which operands a verb acts on, named as the tool means them.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::action::{Object, Objects, escaped};
use super::argument::Argument;
use super::grammar::{Grammar, Target, Verb};
use super::option::Unclear;
use super::{kubernetes, systemd};

/// Most objects that one command may name; more are not told apart.
pub(super) const MAX_OBJECTS: usize = 1024;

impl Object<'_> {
    /// An object whose name already says what it is: `pod/x`, `nginx.service`.
    pub(super) fn qualified(name: String) -> Self {
        Self { key: Cow::Owned(escaped(&name, b"=").into_owned()), name: Some(name.into()) }
    }
}

/// `name` as a target of `verb`.
pub(super) fn named<'w>(verb: &Verb, name: &'w str) -> Object<'w> {
    let key = if verb.kind.is_empty() {
        escaped(name, b"/=")
    } else {
        format!("{}/{}", verb.kind, escaped(name, b"=")).into()
    };
    Object { name: Some(name.into()), key }
}

/// The objects among `operands`; [`Unclear`] if a word that is needed is an expansion.
pub(super) fn objects<'w>(
    grammar: &Grammar,
    verb: &Verb,
    operands: &[&'w Argument<'w>],
) -> Result<Objects<'w>, Unclear> {
    let plain = |words: &[&'w Argument<'w>]| {
        literals(words).map(|names| names.into_iter().map(|name| named(verb, name)).collect())
    };
    let first = &operands[..operands.len().min(1)];
    let rest = operands.get(1..).unwrap_or_default();
    match verb.target {
        Target::None | Target::Whole => Ok(Objects::new()),
        Target::Every | Target::EveryOrWhole => plain(operands),
        Target::First => plain(first),
        Target::AfterFirst => plain(rest),
        Target::FirstOfTwo => plain(if operands.len() > 1 { first } else { &[] }),
        Target::Assignment => literals(operands)?
            .into_iter()
            .map(|word| Ok(named(verb, word.split_once('=').ok_or(Unclear)?.0)))
            .collect(),
        Target::CopySource => {
            Ok(copy_end(operands)?.map(|name| named(verb, name)).into_iter().collect())
        }
        Target::CopyPod => Ok(copy_end(operands)?
            .map(|name| Object::qualified(format!("pod/{name}")))
            .into_iter()
            .collect()),
        Target::Resource => kubernetes::resources(grammar, &literals(operands)?),
        Target::ResourceBeforeLast => {
            let all_but_last = &operands[..operands.len().saturating_sub(1)];
            kubernetes::resources(grammar, &literals(all_but_last)?)
        }
        Target::Pod => kubernetes::pod(grammar, &literals(first)?),
        Target::Node => kubernetes::named("node", &literals(operands)?),
        Target::Named => kubernetes::named(&verb.kind, &literals(first)?),
        Target::NamedAfterFirst => {
            kubernetes::named(&verb.kind, &literals(&rest[..rest.len().min(1)])?)
        }
        Target::Unit => systemd::units(&literals(operands)?, ".service"),
        Target::FirstUnit => systemd::units(&literals(first)?, ".service"),
        Target::Milestone => systemd::units(&literals(operands)?, ".target"),
        Target::FirstMilestone => systemd::units(&literals(first)?, ".target"),
        Target::Script => literals(operands)?.into_iter().map(|word| script(verb, word)).collect(),
        Target::Program => Ok(programs(verb, &literals(operands)?)),
        Target::ProgramAfterFirst => Ok(programs(verb, &literals(rest)?)),
    }
}

/// The words as they are; an empty one names nothing.
fn literals<'w>(words: &[&'w Argument<'w>]) -> Result<SmallVec<[&'w str; 4]>, Unclear> {
    if words.len() > MAX_OBJECTS {
        return Err(Unclear);
    }
    words.iter().map(|word| word.literal().filter(|text| !text.is_empty()).ok_or(Unclear)).collect()
}

/// The container of `docker cp SRC DST`: the side written `CONTAINER:PATH`, or `[NAMESPACE/]POD:PATH` for
/// kubectl. A path that starts
/// with `/` or `.` is local whatever it contains.
fn copy_end<'w>(operands: &[&'w Argument<'w>]) -> Result<Option<&'w str>, Unclear> {
    let container = |word: &'_ str| !word.starts_with(['/', '.']) && word.contains(':');
    let ends = literals(operands)?;
    let mut containers = ends.into_iter().filter(|word| container(word));
    let found = containers.next().and_then(|word| word.split_once(':'));
    if containers.next().is_some() {
        return Err(Unclear);
    }
    Ok(found.map(|(name, _)| name))
}

/// pm2 names a process after its script, without directory and extension; a configuration file
/// holds any number of processes.
fn script<'w>(verb: &Verb, word: &'w str) -> Result<Object<'w>, Unclear> {
    const SCRIPTS: [&str; 9] = ["js", "mjs", "cjs", "ts", "py", "sh", "rb", "pl", "php"];
    const CONFIGURATIONS: [&str; 6] =
        [".json", ".yml", ".yaml", ".config.js", ".config.cjs", ".config.mjs"];
    if word == "-" || CONFIGURATIONS.iter().any(|end| word.ends_with(end)) {
        return Err(Unclear);
    }
    let file = word.rsplit('/').next().unwrap_or(word);
    match file.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && SCRIPTS.contains(&extension) => {
            Ok(named(verb, stem))
        }
        _ => Ok(named(verb, word)),
    }
}

/// supervisor's `group:process`; a group of one has its process's name.
fn programs<'w>(verb: &Verb, names: &[&'w str]) -> Objects<'w> {
    let short = |name: &&'w str| match name.split_once(':') {
        Some((group, process)) if group == process => named(verb, group),
        _ => named(verb, name),
    };
    names.iter().map(short).collect()
}
