//! Canonical shell: one text for all spellings of a command that run the same.
//!
//! A command is parsed by a whitelist of POSIX constructs and printed back in one style. Only
//! cosmetics are normalised: blanks, comments, line continuations, quoting of literal text, the
//! separators newline and `;`, default descriptors, here-document delimiters. Whatever does not
//! parse, is not on the whitelist, or exceeds a limit is its own canonical form.
//!
//! * [`ast`]: what a command means
//! * `cursor`, `atoms`, `expansion`, `heredoc`, `parser`: text to list
//! * `classify`: which characters of a word are active
//! * `lines`: where a newline is not a `;`
//! * `printer`: list to text

pub mod ast;
mod atoms;
mod classify;
mod cursor;
mod expansion;
mod heredoc;
mod lines;
mod names;
mod parser;
mod printer;

use std::borrow::Cow;

pub use ast::List;
pub use printer::print;

/// Longest text in bytes, as input or as printed, that is not left as it is.
pub const MAX_BYTES: usize = 64 * 1024;

/// Deepest nesting of `$(…)`, `${…}` and backquotes that is not left as it is.
pub const MAX_DEPTH: u32 = 32;

/// Most here-documents in a text that is not left as it is: printed on one line, more make bash fail.
pub const MAX_HERE_DOCUMENTS: usize = 16;

/// Why a command has no canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShellError {
    /// No shell can be given a NUL byte.
    #[error(
        "the command holds a NUL at character {position}, which no shell can be given: remove it"
    )]
    Nul {
        /// How many characters stand before it.
        position: usize,
    },
}

/// Why a text is its own canonical form, byte for byte, instead of being printed anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Kept {
    /// It is longer than [`MAX_BYTES`].
    #[error("it is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// It does not parse, leaves the whitelist or nests too deep.
    #[error("it is not read as shell beyond character {position}")]
    NotRead {
        /// How many characters were read before the reader gave up.
        position: usize,
    },
    /// It can print how it is written.
    #[error("it can see how it is written")]
    ShowsSource,
    /// It has several lines, and one can change how the next is read.
    #[error("a line of it can change how the next one is read")]
    LinesMatter,
    /// `sh -c` would take it, or its form, for an option.
    #[error("it starts with - or +, which sh -c takes for an option")]
    IsOption,
    /// It has more than [`MAX_HERE_DOCUMENTS`].
    #[error("it has more than {MAX_HERE_DOCUMENTS} here-documents")]
    HereDocuments,
    /// Its form would be longer than [`MAX_BYTES`].
    #[error("its form would be longer than {MAX_BYTES} bytes")]
    FormTooLong,
}

/// Why a command is kept as it is written; None if it is normalised.
pub fn why_kept(command: &str) -> Option<Kept> {
    normalised(command).err()
}

/// The canonical form of a command, itself a command that runs the same under `dash -c`, `bash -c`
/// and `bash --posix -c`.
///
/// Equal canonical forms mean equal lists. Borrowed when `command` is its own canonical form.
pub fn canonical(command: &str) -> Result<Cow<'_, str>, ShellError> {
    if is_plain(command.as_bytes()) {
        return Ok(Cow::Borrowed(command));
    }
    if let Some((before, _)) = command.split_once('\0') {
        return Err(ShellError::Nul { position: before.chars().count() });
    }
    match normalised(command) {
        Ok(printed) if printed != command => Ok(Cow::Owned(printed)),
        _ => Ok(Cow::Borrowed(command)),
    }
}

/// The list a command text stands for; None if it does not parse, leaves the whitelist or exceeds a
/// limit.
///
/// Newlines between commands are read as `;` here. Where that changes what runs, [`canonical`] keeps
/// the text as it is, but the commands in it are still these.
pub fn parse(command: &str) -> Option<List> {
    parser::parse(command).ok().map(|parsed| parsed.list)
}

fn normalised(command: &str) -> Result<String, Kept> {
    let parsed = parser::parse(command)?;
    if parsed.shows_source || names::mentions_source(command, &parsed.list) {
        return Err(Kept::ShowsSource);
    }
    if !lines::may_be_joined(command, &parsed) {
        return Err(Kept::LinesMatter);
    }
    if parsed.here_documents > MAX_HERE_DOCUMENTS {
        return Err(Kept::HereDocuments);
    }
    let printed = print(&parsed.list);
    if is_option(command) || is_option(&printed) {
        return Err(Kept::IsOption);
    }
    // Reading the print back makes the laws hold by construction: a form is only ever shared by
    // texts that stand for this very list, and printing it again changes nothing.
    match parser::parse(&printed) {
        Ok(again) if again.list == parsed.list => Ok(printed),
        Err(Kept::TooLong) => Err(Kept::FormTooLong),
        _ => Err(Kept::NotRead { position: command.chars().count() }),
    }
}

/// Whether `sh -c` would take the text for an option of its own.
fn is_option(text: &str) -> bool {
    text.starts_with(['-', '+'])
}

/// Whether every byte stands for itself and blanks are single: such a text is its own canonical form
/// whether or not it parses, because the printer would change nothing.
fn is_plain(command: &[u8]) -> bool {
    let mut after_blank = true;
    for &byte in command {
        let blank = byte == b' ';
        if !(PLAIN[byte as usize] || blank && !after_blank) {
            return false;
        }
        after_blank = blank;
    }
    !after_blank || command.is_empty()
}

/// Bytes that mean themselves wherever they stand.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let safe = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:,@%+=-";
    let mut i = 0;
    while i < safe.len() {
        plain[safe[i] as usize] = true;
        i += 1;
    }
    plain
};
