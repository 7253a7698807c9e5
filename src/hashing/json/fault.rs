//! Why a payload has no canonical form, and where.

use std::fmt::{self, Write as _};

use thiserror::Error;

/// What was wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// NaN and the infinities are not JSON (RFC 8259 section 6).
    #[error("{0} is not a JSON number")]
    NotFinite(&'static str),
    /// A literal such as `1e400`, or an integer that `Mode::Jcs` cannot round to a double.
    #[error("the number is too large for a double")]
    Overflow,
    /// An integer longer than [`Limits::digits`](super::Limits::digits).
    #[error("the integer has more than {limit} digits; send it as a string")]
    Digits {
        /// The most digits allowed.
        limit: usize,
    },
    /// More containers inside one another than allowed; a cycle ends here too.
    #[error("containers are nested more than {limit} deep (or contain themselves)")]
    Depth {
        /// The most levels allowed.
        limit: usize,
    },
    /// More values than allowed.
    #[error("the payload has more than {limit} values")]
    Values {
        /// The most values allowed.
        limit: usize,
    },
    /// More bytes than allowed.
    #[error("the payload has more than {limit} bytes")]
    Bytes {
        /// The most bytes allowed.
        limit: usize,
    },
    /// A string or key with a lone surrogate has no UTF-8 form (RFC 8785 section 3.2.2.2).
    #[error("{0} has a lone surrogate, so it has no UTF-8 form")]
    Surrogate(&'static str),
    /// A key that is not a string.
    #[error(
        "a key is of type {kind}, and JSON keys are strings; convert it, or pass model_dump(mode=\"json\")"
    )]
    Key {
        /// The type's name.
        kind: String,
    },
    /// Two keys of one object denote the same name.
    #[error("the name {name:?} occurs twice in one object{at}")]
    Duplicate {
        /// The name.
        name: String,
        /// Where in the text, if it was text.
        at: Place,
    },
    /// A type without one obvious JSON form.
    #[error(
        "{kind} has no one JSON form; pass its wire form instead, for a model model_dump(mode=\"json\")"
    )]
    Type {
        /// The type's name.
        kind: String,
    },
    /// A date and time that names no instant.
    #[error("the datetime is naive; attach a time zone, so that it names one instant")]
    Naive,
    /// An aware datetime whose UTC form is before year 1 or after year 9999.
    #[error("the datetime has no UTC form within the years 1 to 9999")]
    Instant,
    /// The text is not JSON.
    #[error("{what}{at}")]
    Syntax {
        /// What was found or missing.
        what: &'static str,
        /// Where in the text.
        at: Place,
    },
}

impl Fault {
    /// The error that says so. Boxed: a result that fits a register is handed up several levels for each
    /// value, and faults are rare.
    #[cold]
    pub fn refuse<T>(self) -> Result<T, Box<Self>> {
        Err(Box::new(self))
    }

    /// A short word for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotFinite(_) => "nan",
            Self::Overflow => "overflow",
            Self::Digits { .. } => "digits",
            Self::Depth { .. } => "depth",
            Self::Values { .. } => "values",
            Self::Bytes { .. } => "bytes",
            Self::Surrogate(_) => "surrogate",
            Self::Key { .. } => "key",
            Self::Duplicate { .. } => "duplicate",
            Self::Type { .. } => "type",
            Self::Naive => "naive",
            Self::Instant => "instant",
            Self::Syntax { .. } => "syntax",
        }
    }
}

/// A place in JSON text, or nowhere if the payload was not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place(Option<(usize, usize)>);

impl Place {
    /// The place of byte `offset` of `text`.
    pub fn of(text: &[u8], offset: usize) -> Self {
        let before = &text[..offset.min(text.len())];
        let line = before.split(|&byte| byte == b'\n').count();
        Self(Some((line, offset)))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((line, offset)) => write!(f, " at line {line}, byte {offset}"),
            None => Ok(()),
        }
    }
}

/// A fault and the JSON path of the value it is about.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{path}: {fault}")]
pub struct JsonError {
    /// Such as `$.items[3]` or `$["two words"]`.
    pub path: String,
    /// What was wrong there.
    pub fault: Fault,
}

/// One step from a container into a value of it.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// Into the member of this name.
    Name(&'a str),
    /// Into the element of this index.
    Index(usize),
}

impl JsonError {
    /// A fault at the value reached from `root` by `steps`.
    pub fn at<'a>(root: &str, steps: impl IntoIterator<Item = Step<'a>>, fault: Fault) -> Self {
        let mut path = root.to_owned();
        for step in steps {
            // Writing to a String cannot fail.
            let _ = match step {
                Step::Name(name) if is_plain(name) => write!(path, ".{name}"),
                Step::Name(name) => write!(path, "[{name:?}]"),
                Step::Index(index) => write!(path, "[{index}]"),
            };
        }
        Self { path, fault }
    }

    /// The same fault, when the value at `$` is the one at `root` of a larger payload.
    #[must_use]
    pub fn below(mut self, root: &str) -> Self {
        if self.path.starts_with('$') {
            self.path.replace_range(..1, root);
        }
        self
    }
}

/// Whether a name can follow a dot in a path without quotes.
fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c == '_' || c.is_alphabetic())
        && name.chars().all(|c| c == '_' || c.is_alphanumeric())
}
