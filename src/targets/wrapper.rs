//! Commands that run another command: taken off until the tool itself is in front.

use std::sync::{Arc, LazyLock};

use foldhash::HashMap;
use serde::Deserialize;

use super::argument::Argument;
use super::grammar::{OptionTable, Syntax};
use super::meaning::Meaning;
use super::option::{Reader, Seen, Value};
use super::schema::{GrammarError, OptionLists, option_table};
use super::script::is_plain;
use super::setting::{Known, Setting};
use crate::hashing::shell;

/// What a command line runs once its wrappers are off.
pub(super) enum Inner<'a> {
    /// These words, in this setting.
    Command(&'a [Argument<'a>], Setting),
    /// This shell script, in this setting.
    Script(String, Setting),
    /// Something among these words, but which it is cannot be known.
    Unclear(&'a [Argument<'a>]),
    /// Nothing, or not here.
    Nothing,
}

/// A wrapper as its data file describes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    names: Vec<String>,
    #[serde(default)]
    value: String,
    #[serde(default)]
    flag: String,
    #[serde(default)]
    optional: String,
    /// Words between the options and the command.
    #[serde(default)]
    operands: usize,
    /// `NAME=VALUE` words may stand before the command.
    #[serde(default)]
    assigns: bool,
    /// The command gets more operands from standard input.
    #[serde(default)]
    reads_operands: bool,
    /// The command starts with variables and a directory of its own.
    #[serde(default)]
    isolates: bool,
    /// What becomes of the remaining words.
    #[serde(default)]
    runs: Runs,
    /// This word behind the operands announces a shell script.
    script_after: Option<String>,
    /// Option → what it means for the command.
    #[serde(default)]
    means: HashMap<String, Meaning>,
}

/// What a wrapper does with the words behind its options and operands.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Runs {
    /// Runs them as a command.
    #[default]
    Words,
    /// Joins them by blanks and has a shell read that.
    Joined,
    /// Reads commands from the file they name.
    File,
    /// Becomes the user they name; options may follow.
    AsUser,
    /// Runs the value of an option, which may stand anywhere among them.
    Option,
    /// Runs what stands behind `-exec` and the like, with more operands.
    Found,
    /// Runs them among other processes, or pieced together with other words.
    Elsewhere,
}

/// A wrapper with its options compiled.
struct Wrapper {
    description: Description,
    options: OptionTable,
}

static WRAPPERS: LazyLock<HashMap<String, Arc<Wrapper>>> = LazyLock::new(|| {
    #[allow(clippy::expect_used)] // Our own data file: a test loads it, input cannot change it.
    load(include_str!("grammars/wrappers.toml")).expect("grammars/wrappers.toml is valid")
});

fn load(text: &str) -> Result<HashMap<String, Arc<Wrapper>>, GrammarError> {
    #[derive(Deserialize)]
    struct File {
        wrapper: Vec<Description>,
    }
    let file: File = toml::from_str(text)
        .map_err(|error| GrammarError::new("wrappers.toml", error.to_string()))?;
    let mut wrappers = HashMap::default();
    for description in file.wrapper {
        let lists = OptionLists {
            value: description.value.clone(),
            flag: description.flag.clone(),
            optional: description.optional.clone(),
            greedy: String::new(),
        };
        let options = option_table(&lists, &description.names.join(" "))?;
        if let Some(odd) = description.means.keys().find(|option| options.get(option).is_none()) {
            return Err(GrammarError::new(odd, "means something but is not listed"));
        }
        let wrapper = Arc::new(Wrapper { description, options });
        for name in &wrapper.description.names {
            wrappers.insert(name.clone(), wrapper.clone());
        }
    }
    Ok(wrappers)
}

/// Takes all wrappers off `words`.
pub(super) fn unwrapped<'a>(words: &'a [Argument<'a>], setting: Setting) -> Inner<'a> {
    let (mut words, mut setting) = (words, setting);
    loop {
        let name = words.first().and_then(Argument::literal).map(basename);
        let Some(wrapper) = name.and_then(|name| WRAPPERS.get(name)) else {
            return Inner::Command(words, setting);
        };
        match wrapper.take_off(&words[1..], setting) {
            Inner::Command(rest, inside) => (words, setting) = (rest, inside),
            done => return done,
        }
    }
}

/// The name of an executable without its directory.
pub(super) fn basename(path: &str) -> &str {
    let slash = path.bytes().rposition(|byte| byte == b'/');
    slash.map_or(path, |at| &path[at + 1..])
}

impl Wrapper {
    fn take_off<'a>(&self, words: &'a [Argument<'a>], setting: Setting) -> Inner<'a> {
        let all = words;
        let (mut words, mut setting) = (words, setting);
        let tables = [&self.options];
        let reader = Reader { tables: &tables, syntax: Syntax::Getopt };
        let mut seen = Vec::new();
        match self.description.runs {
            Runs::AsUser => {
                return match reader.interspersed(words, &mut seen) {
                    Ok(operands) => self.switch_user(seen, &operands, words, setting),
                    Err(_) => Inner::Unclear(words),
                };
            }
            Runs::Option => {
                return match reader.interspersed(words, &mut seen) {
                    Ok(_) => script_in(&self.meanings(seen), words, setting),
                    Err(_) => Inner::Unclear(words),
                };
            }
            Runs::Found => return found(words, setting),
            _ => {}
        }
        loop {
            if reader.leading(&mut words, &mut seen).is_err() {
                return Inner::Unclear(all);
            }
            let assigned = if self.description.assigns { assignments(words) } else { 0 };
            if assigned == 0 {
                break;
            }
            words[..assigned].iter().for_each(|word| setting.assign(word));
            words = &words[assigned..];
        }
        let Some((operands, words)) = words.split_at_checked(self.description.operands) else {
            return Inner::Nothing;
        };
        let means = self.meanings(seen);
        let has = |wanted| means.iter().any(|(meaning, _)| *meaning == wanted);
        if has(Meaning::Hides) {
            return Inner::Nothing;
        }
        let is_any_variable = |(meaning, value): &(Meaning, Value)| {
            *meaning == Meaning::Variable
                && matches!(value, Value::Expanded(known) if !known.contains('='))
        };
        if operands.contains(&Argument::Unknown)
            || has(Meaning::Elsewhere)
            || means.iter().any(is_any_variable)
        {
            return Inner::Unclear(all);
        }
        if self.description.isolates && !has(Meaning::Inherits) {
            setting.variables.clear();
            setting.directory = None;
        }
        for (meaning, value) in &means {
            setting.apply(*meaning, value);
        }
        setting.reads_operands |= self.description.reads_operands;
        let late = self.description.script_after.as_deref();
        let announced = late.is_some() && words.first().and_then(Argument::literal) == late;
        if let Some((_, value)) = means.iter().find(|(meaning, _)| *meaning == Meaning::Split) {
            let line = split_line(value, words);
            return line.map_or(Inner::Unclear(all), |line| Inner::Script(line, setting));
        }
        let script = match self.description.runs {
            _ if has(Meaning::ScriptFollows) => words.first().and_then(text),
            _ if announced => words.get(1).and_then(text),
            Runs::Joined if !has(Meaning::Direct) => joined(words),
            Runs::File => None,
            Runs::Elsewhere => return Inner::Unclear(words),
            _ => return Inner::Command(words, setting),
        };
        script.map_or(Inner::Nothing, |script| Inner::Script(script, setting))
    }

    /// `su [-] [USER] -c SCRIPT`, `runuser -u USER -- COMMAND`.
    fn switch_user<'a>(
        &self,
        seen: Vec<Seen<'_>>,
        operands: &[&Argument<'_>],
        words: &'a [Argument<'a>],
        mut setting: Setting,
    ) -> Inner<'a> {
        let mut means = self.meanings(seen);
        if means.iter().any(|(meaning, value)| *meaning == Meaning::Shell && !reads_shell(value)) {
            return Inner::Unclear(words);
        }
        means.retain(|(meaning, _)| *meaning != Meaning::Shell);
        if let [(Meaning::User, value)] = &means[..] {
            setting.apply(Meaning::User, value);
            // The command is the end of the words: nothing behind it is an option.
            let command = words.len().checked_sub(operands.len()).map(|start| &words[start..]);
            return match command.filter(|command| command.iter().eq(operands.iter().copied())) {
                Some(command) => Inner::Command(command, setting),
                None => Inner::Unclear(words),
            };
        }
        let operands: Vec<Option<&str>> =
            operands.iter().map(|word| word.literal()).filter(|word| *word != Some("-")).collect();
        let user = match operands[..] {
            [] => "root",
            [Some(user)] => user,
            _ => return Inner::Nothing,
        };
        setting.user = Some(Known::Text(user.to_owned()));
        script_in(&means, words, setting)
    }

    fn meanings(&self, seen: Vec<Seen<'_>>) -> Vec<(Meaning, Value)> {
        let meaning = |spellings: &[String]| {
            spellings.iter().find_map(|spelling| self.description.means.get(spelling)).copied()
        };
        seen.into_iter()
            .filter_map(|seen| meaning(&seen.spec.spellings).map(|meaning| (meaning, seen.value)))
            .collect()
    }
}

/// The script that the only option with a meaning holds.
fn script_in<'a>(
    means: &[(Meaning, Value)],
    words: &'a [Argument<'a>],
    setting: Setting,
) -> Inner<'a> {
    match means {
        [(Meaning::Script, Value::Known(text))] => Inner::Script(text.clone(), setting),
        [(Meaning::Script, Value::Expanded(prefix))] => match open_script(prefix) {
            Some(script) => Inner::Script(script, setting),
            None => Inner::Unclear(words),
        },
        _ => Inner::Nothing,
    }
}

/// Whether an option's value is a Bourne shell.
fn reads_shell(value: &Value) -> bool {
    let Value::Known(path) = value else { return false };
    WRAPPERS.get(basename(path)).is_some_and(|shell| shell.description.runs == Runs::File)
}

/// `find … -exec COMMAND ;`: once for each file or with many of them. Of several commands none is read.
fn found<'a>(words: &'a [Argument<'a>], mut setting: Setting) -> Inner<'a> {
    let runs = |word: &Argument<'_>| {
        matches!(word.literal(), Some("-exec" | "-execdir" | "-ok" | "-okdir"))
    };
    let Some(first) = words.iter().position(runs) else {
        return Inner::Nothing;
    };
    let command = &words[first + 1..];
    if command.iter().any(runs) {
        return Inner::Unclear(command);
    }
    let ends = |word: &Argument<'_>| matches!(word.literal(), Some(";" | "+"));
    let end = command.iter().position(ends).unwrap_or(command.len());
    setting.reads_operands = true;
    Inner::Command(&command[..end], setting)
}

/// The script that a word holds; one that goes on with an expansion is read up to there.
fn text(word: &Argument<'_>) -> Option<String> {
    match word {
        Argument::Literal(text) => Some(text.clone().into_owned()),
        Argument::Single { prefix } => open_script(prefix),
        Argument::Unknown => None,
    }
}

/// A script of which only the beginning is known, with an expansion for the rest: its last command
/// is never known in full. What is open at the end of `prefix` is closed first.
fn open_script(prefix: &str) -> Option<String> {
    let closings = ["$_", "'$_", "\"$_"];
    closings.iter().map(|end| format!("{prefix}{end}")).find(|text| shell::parse(text).is_some())
}

fn joined(words: &[Argument<'_>]) -> Option<String> {
    let known = words.iter().map_while(Argument::literal).collect::<Vec<_>>();
    match words.get(known.len()) {
        None => Some(known.join(" ")),
        Some(Argument::Single { prefix }) => {
            open_script(&[&known[..], &[prefix]].concat().join(" "))
        }
        Some(_) => open_script(&format!("{} ", known.join(" "))),
    }
}

/// What `env -S` runs: its value and the words behind it. The value is split by rules of its own, which
/// are the shell's where every character stands for itself.
fn split_line(value: &Value, words: &[Argument<'_>]) -> Option<String> {
    let Value::Known(text) = value else { return None };
    let parts: Option<Vec<&str>> =
        std::iter::once(Some(text.as_str())).chain(words.iter().map(Argument::literal)).collect();
    let line = format!("env {}", parts?.join(" "));
    let separate = words.iter().filter_map(Argument::literal).all(|word| !word.contains(' '));
    (separate && line.bytes().all(is_plain)).then_some(line)
}

/// How many `NAME=VALUE` words (and env's `-`) stand in front.
fn assignments(words: &[Argument<'_>]) -> usize {
    let assigns = |word: &&Argument<'_>| match word.known() {
        Some((text, _)) => text == "-" || text.find('=').is_some_and(|at| at > 0),
        None => false,
    };
    words.iter().take_while(assigns).count()
}
