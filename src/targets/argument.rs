//! What is known about one word of a command before it runs.

use std::borrow::Cow;

/// One word of a simple command, as far as it can be known without running anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Argument<'a> {
    /// Exactly this word.
    Literal(Cow<'a, str>),
    /// One word that starts with `prefix` and goes on with a quoted expansion: `--time="$T"`.
    Single {
        /// The literal text before the expansion.
        prefix: String,
    },
    /// Any number of words: an unquoted expansion, a glob, `"$@"`.
    Unknown,
}

impl Argument<'_> {
    /// The text of a word that is known in full.
    pub(super) fn literal(&self) -> Option<&str> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Single { .. } | Self::Unknown => None,
        }
    }

    /// The text known so far, and whether it is the whole word; `None` if even the number of words
    /// is unknown.
    pub(super) fn known(&self) -> Option<(&str, bool)> {
        match self {
            Self::Literal(text) => Some((text, true)),
            Self::Single { prefix } => Some((prefix, false)),
            Self::Unknown => None,
        }
    }
}
