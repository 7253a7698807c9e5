//! What a whitelisted command means: the list, its pipelines, and words that remember which of
//! their characters the shell would act on.

/// A whole command text: items in the order in which they start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// Each item runs after the one before it has ended, or has been put in the background.
    pub items: Vec<Item>,
}

/// One and-or list and how it is ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The first pipeline.
    pub first: Pipeline,
    /// The pipelines that run depending on the status so far.
    pub rest: Vec<(Connective, Pipeline)>,
    /// Ended by `&`: the shell does not wait for it.
    pub background: bool,
}

/// When the next pipeline of an and-or list runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connective {
    /// `&&`: only after success.
    And,
    /// `||`: only after failure.
    Or,
}

/// Commands that run side by side, each reading what the one before it writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// Preceded by the reserved word `!`: its status is inverted.
    pub negated: bool,
    /// At least one command.
    pub commands: Vec<SimpleCommand>,
}

/// A simple command (POSIX.1-2024, XCU 2.9.1). At least one of the three parts is not empty.
///
/// Redirections are kept apart from the words: the shell expands every word before it performs any
/// redirection, so only the order among themselves matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SimpleCommand {
    /// `NAME=value` before the command name, in order.
    pub assignments: Vec<Assignment>,
    /// The command name and its arguments.
    pub words: Vec<Word>,
    /// In order.
    pub redirections: Vec<Redirection>,
}

/// One `NAME=value` in front of a command name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The variable: ASCII letters, digits and `_`, not starting with a digit.
    pub name: String,
    /// The value; a word without pieces is the empty value.
    pub value: Word,
}

/// One redirection of a file descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirection {
    /// To or from a file.
    File {
        /// The descriptor that is redirected, 0 to 9.
        fd: u8,
        /// How the file is opened.
        operator: FileOperator,
        /// The file's name, before expansion.
        target: Word,
    },
    /// `>&` or `<&`.
    Duplicate {
        /// The descriptor that is redirected, 0 to 9.
        fd: u8,
        /// Whether it was written `<&`.
        input: bool,
        /// What `fd` becomes.
        source: Source,
    },
    /// `<<` or `<<-`. The delimiter is not part of it.
    HereDocument {
        /// The descriptor that reads the body, 0 to 9.
        fd: u8,
        /// The body.
        body: HereDocument,
    },
}

/// What stands after `>&` or `<&`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The descriptor copied, 0 to 9.
    Descriptor(u8),
    /// `-`: the descriptor is closed.
    Closed,
}

/// How a redirection opens its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileOperator {
    /// `<`
    Read,
    /// `>`
    Write,
    /// `>>`
    Append,
    /// `>|`: truncate even under `noclobber`.
    Clobber,
    /// `<>`
    ReadWrite,
}

impl FileOperator {
    /// So that `>` is not taken for the start of `>>`.
    pub(super) const LONGEST_FIRST: [Self; 5] =
        [Self::Append, Self::Clobber, Self::ReadWrite, Self::Read, Self::Write];

    /// As it is written.
    pub fn spelling(self) -> &'static str {
        match self {
            Self::Read => "<",
            Self::Write => ">",
            Self::Append => ">>",
            Self::Clobber => ">|",
            Self::ReadWrite => "<>",
        }
    }

    /// The descriptor meant when none is written.
    pub fn default_fd(self) -> u8 {
        match self {
            Self::Read | Self::ReadWrite => 0,
            Self::Write | Self::Append | Self::Clobber => 1,
        }
    }
}

/// The body of a here-document: whole lines, each with its newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HereDocument {
    /// Handed over as it stands; the tabs that `<<-` strips are already gone.
    Literal(String),
    /// Holds `$`, a backquote or a backslash that the shell acts on: kept as written.
    Expanding {
        /// Written `<<-`: the shell strips the leading tabs of each line.
        strip_tabs: bool,
        /// As written.
        text: String,
    },
}

/// One word, as the pieces between which the meaning of quoting changes.
///
/// An argument has at least one piece (`''` is one empty [`Piece::Literal`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// In order. No two [`Piece::Literal`] and no two [`Piece::Active`] stand side by side.
    pub pieces: Vec<Piece>,
}

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text that stands for itself, however it was quoted. An empty one is a quoted nothing, which
    /// can make a field where there would be none.
    Literal(String),
    /// Unquoted text that the shell may act on: globs, tildes, braces, `NAME=` where it counts, and
    /// whatever stands where an expansion could make it part of a pattern. As written.
    Active(String),
    /// An unquoted expansion, subject to splitting and globbing. As written.
    Expansion(String),
    /// An expansion inside double quotes. As written, without the quotes.
    Quoted(String),
}

impl List {
    /// Every simple command in source order.
    pub fn commands(&self) -> impl Iterator<Item = &SimpleCommand> {
        self.items.iter().flat_map(|item| {
            std::iter::once(&item.first)
                .chain(item.rest.iter().map(|(_, pipeline)| pipeline))
                .flat_map(|pipeline| &pipeline.commands)
        })
    }

    /// The same, to be changed.
    pub(super) fn commands_mut(&mut self) -> impl Iterator<Item = &mut SimpleCommand> {
        self.items.iter_mut().flat_map(|item| {
            std::iter::once(&mut item.first)
                .chain(item.rest.iter_mut().map(|(_, pipeline)| pipeline))
                .flat_map(|pipeline| &mut pipeline.commands)
        })
    }
}

impl SimpleCommand {
    /// The command name: None if there is none or if it is not literal.
    pub fn name(&self) -> Option<String> {
        self.words.first().and_then(Word::literal)
    }

    /// The words after the command name.
    pub fn arguments(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }
}

impl Word {
    /// The field this word becomes, whatever the environment; None if any part of it is expanded.
    pub fn literal(&self) -> Option<String> {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => Some(text.as_str()),
                Piece::Active(_) | Piece::Expansion(_) | Piece::Quoted(_) => None,
            })
            .collect()
    }
}
