//! What an option of a wrapper changes for the command inside.

use serde::Deserialize;

use super::option::Value;
use super::setting::{Known, Setting};

/// What an option means.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Meaning {
    /// No command runs, or not these words.
    Hides,
    /// The command may run on another machine.
    Elsewhere,
    /// Its value is the user.
    User,
    /// Its value is the directory.
    Directory,
    /// Its value is a variable that is removed.
    Unset,
    /// Its value is `NAME=VALUE`, or a variable that is taken over or removed.
    Variable,
    /// The command inherits variables and directory after all.
    Inherits,
    /// Its value is the shell that reads the script.
    Shell,
    /// All variables are removed.
    Clear,
    /// Its value is a shell script.
    Script,
    /// The first operand is a shell script.
    ScriptFollows,
    /// The words are run as they are, not joined.
    Direct,
    /// Its value is split into words, which go before the others.
    Split,
}

impl Setting {
    /// Takes an option of this meaning.
    pub(super) fn apply(&mut self, meaning: Meaning, value: &Value) {
        let known = match value {
            Value::Known(text) => Known::Text(text.clone()),
            Value::Absent | Value::Expanded(_) => Known::Unknown,
        };
        match meaning {
            Meaning::User => self.user = Some(known),
            Meaning::Directory => self.change_directory(known),
            Meaning::Clear => self.variables.clear(),
            Meaning::Variable => self.take_variable(value),
            Meaning::Unset => match known {
                Known::Text(name) => {
                    self.variables.remove(&name);
                }
                Known::Unknown => self.variables.clear(),
            },
            Meaning::Hides
            | Meaning::Elsewhere
            | Meaning::Script
            | Meaning::ScriptFollows
            | Meaning::Direct
            | Meaning::Inherits
            | Meaning::Shell
            | Meaning::Split => {}
        }
    }
    /// `NAME=VALUE`; a bare name is taken over or removed, so that its value is not known here.
    fn take_variable(&mut self, value: &Value) {
        let (Value::Known(text) | Value::Expanded(text)) = value else { return };
        let (name, known) = match (text.split_once('='), value) {
            (Some((name, text)), Value::Known(_)) => (name, Known::Text(text.to_owned())),
            (Some((name, _)), _) => (name, Known::Unknown),
            (None, _) => (text.as_str(), Known::Unknown),
        };
        self.variables.insert(name.to_owned(), known);
    }
}
