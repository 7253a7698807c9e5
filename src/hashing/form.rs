//! Payloads made ready to be digested on another thread: nothing in them needs an interpreter.

use thiserror::Error;

use super::digest::Digest;
use super::json::{JsonError, Mode, Sink, text};
use super::shell::{self, ShellError};

/// One payload, copied out of the objects that held it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// A canonical form.
    Canonical(Vec<u8>),
    /// A command.
    Shell(String),
    /// JSON text between two parts that are canonical already.
    Text {
        /// What stands before the value.
        prefix: Vec<u8>,
        /// The text of the value.
        text: String,
        /// The path of the value in the payload.
        root: &'static str,
        /// How many containers surround the value.
        outer: usize,
        /// What stands after the value.
        suffix: &'static [u8],
    },
}

/// Why a form has no digest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FormError {
    /// The command has no canonical form.
    #[error(transparent)]
    Shell(#[from] ShellError),
    /// The text has none.
    #[error(transparent)]
    Json(#[from] JsonError),
}

impl Form {
    /// How many bytes are left to read.
    pub fn len(&self) -> usize {
        match self {
            Self::Canonical(bytes) => bytes.len(),
            Self::Shell(command) => command.len(),
            Self::Text { prefix, text, suffix, .. } => prefix.len() + text.len() + suffix.len(),
        }
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The digest of the canonical form.
    pub fn digest(&self) -> Result<Digest, FormError> {
        match self {
            Self::Canonical(bytes) => Ok(Digest::of(bytes)),
            Self::Shell(command) => Ok(Digest::of(shell::canonical(command)?.as_bytes())),
            Self::Text { prefix, text, root, outer, suffix } => {
                let mut sink = Sink::digest(Mode::Exact);
                sink.raw(prefix);
                let limits = *sink.limits();
                text::write_text(sink.buffer(), text, Mode::Exact, &limits, *outer)
                    .map_err(|error| error.below(root))?;
                sink.raw(suffix);
                Ok(sink.finish())
            }
        }
    }
}
