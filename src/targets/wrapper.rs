//! Commands that run another command: taken off until the tool itself is in front.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use super::argument::Argument;
use super::grammar::{OptionTable, Syntax};
use super::option::{Reader, Seen, Value};
use super::schema::{GrammarError, OptionLists, option_table};
use super::setting::{Known, Setting};

/// What a command line runs once its wrappers are off.
pub(super) enum Inner<'a> {
    /// These words, in this setting.
    Command(&'a [Argument], Setting),
    /// This shell script, in this setting.
    Script(String, Setting),
    /// Nothing, or something that cannot be known, or on another machine.
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
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Meaning {
    /// No command runs, or not here, or not these words.
    Hides,
    /// Its value is the user.
    User,
    /// Its value is the directory.
    Directory,
    /// Its value is a variable that is removed.
    Unset,
    /// All variables are removed.
    Clear,
    /// Its value is a shell script.
    Script,
    /// The first operand is a shell script.
    ScriptFollows,
    /// The words are run as they are, not joined.
    Direct,
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
    let mut wrappers = HashMap::new();
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
pub(super) fn unwrapped(words: &[Argument], setting: Setting) -> Inner<'_> {
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
    path.rsplit('/').next().unwrap_or(path)
}

impl Wrapper {
    fn take_off<'a>(&self, words: &'a [Argument], setting: Setting) -> Inner<'a> {
        let (mut words, mut setting) = (words, setting);
        let tables = [&self.options];
        let reader = Reader { tables: &tables, syntax: Syntax::Getopt };
        let mut seen = Vec::new();
        if self.description.runs == Runs::AsUser {
            return match reader.interspersed(words, &mut seen) {
                Ok(operands) => self.switch_user(seen, &operands, setting),
                Err(_) => Inner::Nothing,
            };
        }
        loop {
            if reader.leading(&mut words, &mut seen).is_err() {
                return Inner::Nothing;
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
        if has(Meaning::Hides) || operands.contains(&Argument::Unknown) {
            return Inner::Nothing;
        }
        for (meaning, value) in &means {
            setting.apply(*meaning, value);
        }
        setting.reads_operands |= self.description.reads_operands;
        let late = self.description.script_after.as_deref();
        let announced = late.is_some() && words.first().and_then(Argument::literal) == late;
        let script = match self.description.runs {
            _ if has(Meaning::ScriptFollows) => text(words.first()),
            _ if announced => text(words.get(1)),
            Runs::Joined if !has(Meaning::Direct) => joined(words),
            Runs::File => None,
            Runs::Words | Runs::Joined | Runs::AsUser => return Inner::Command(words, setting),
        };
        script.map_or(Inner::Nothing, |script| Inner::Script(script, setting))
    }

    /// `su [-] [USER] -c SCRIPT`.
    fn switch_user<'a>(
        &self,
        seen: Vec<Seen<'_>>,
        operands: &[Argument],
        mut setting: Setting,
    ) -> Inner<'a> {
        let means = self.meanings(seen);
        let operands: Vec<Option<&str>> =
            operands.iter().map(Argument::literal).filter(|word| *word != Some("-")).collect();
        let user = match operands[..] {
            [] => "root",
            [Some(user)] => user,
            _ => return Inner::Nothing,
        };
        setting.user = Some(Known::Text(user.to_owned()));
        match means[..] {
            [(Meaning::Script, Value::Known(ref text))] => Inner::Script(text.clone(), setting),
            _ => Inner::Nothing,
        }
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

fn text(word: Option<&Argument>) -> Option<String> {
    word.and_then(Argument::literal).map(str::to_owned)
}

fn joined(words: &[Argument]) -> Option<String> {
    let words: Option<Vec<&str>> = words.iter().map(Argument::literal).collect();
    words.map(|words| words.join(" "))
}

/// How many `NAME=VALUE` words (and env's `-`) stand in front.
fn assignments(words: &[Argument]) -> usize {
    let assigns = |word: &&Argument| match word.known() {
        Some((text, _)) => text == "-" || text.find('=').is_some_and(|at| at > 0),
        None => false,
    };
    words.iter().take_while(assigns).count()
}

impl Setting {
    /// Takes a `NAME=VALUE` word into the variables.
    pub(super) fn assign(&mut self, word: &Argument) {
        match word.known() {
            Some(("-", true)) => self.variables.clear(),
            Some((text, complete)) => {
                if let Some((name, value)) = text.split_once('=') {
                    let value =
                        if complete { Known::Text(value.to_owned()) } else { Known::Unknown };
                    self.variables.insert(name.to_owned(), value);
                }
            }
            None => {}
        }
    }

    fn apply(&mut self, meaning: Meaning, value: &Value) {
        let known = match value {
            Value::Known(text) => Known::Text(text.clone()),
            Value::Absent | Value::Expanded => Known::Unknown,
        };
        match meaning {
            Meaning::User => self.user = Some(known),
            Meaning::Directory => self.change_directory(known),
            Meaning::Clear => self.variables.clear(),
            Meaning::Unset => match known {
                Known::Text(name) => {
                    self.variables.remove(&name);
                }
                Known::Unknown => self.variables.clear(),
            },
            Meaning::Hides | Meaning::Script | Meaning::ScriptFollows | Meaning::Direct => {}
        }
    }
}
