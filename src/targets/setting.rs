//! What a simple command runs in: variables, working directory, user.

use std::collections::BTreeMap;

use super::argument::Argument;

/// A text that may only be known at run time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// This text.
    Text(String),
    /// Some text.
    Unknown,
}

/// What a simple command runs in, as far as the command line itself says so.
#[derive(Clone, Debug, Default)]
pub(super) struct Setting {
    /// Variables assigned in front of the command, by `export`, or by `env`.
    pub(super) variables: BTreeMap<String, Known>,
    /// The working directory set by `cd`, `env -C` or `sudo -D`.
    pub(super) directory: Option<Known>,
    /// The user given to `sudo -u`, `doas -u` or `su`.
    pub(super) user: Option<Known>,
    /// More operands come from standard input (`xargs`).
    pub(super) reads_operands: bool,
}

impl Setting {
    /// Takes a `NAME=VALUE` word into the variables.
    pub(super) fn assign(&mut self, word: &Argument<'_>) {
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

    /// Changes the directory, relative to the one before.
    pub(super) fn change_directory(&mut self, to: Known) {
        self.directory = Some(match (self.directory.take(), to) {
            (Some(Known::Text(from)), Known::Text(to)) => Known::Text(joined(&from, &to)),
            (None, Known::Text(to)) => Known::Text(to),
            (Some(Known::Unknown), Known::Text(to)) if to.starts_with('/') => Known::Text(to),
            (_, Known::Unknown) | (Some(Known::Unknown), Known::Text(_)) => Known::Unknown,
        });
    }
}

/// `path` as seen from `base`; `..` stays, since `base` may hold links.
pub(super) fn joined(base: &str, path: &str) -> String {
    if path.starts_with('/') || base.is_empty() {
        return path.to_owned();
    }
    format!("{}/{path}", base.trim_end_matches('/'))
}
