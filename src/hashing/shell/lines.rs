//! Where a newline between commands is not a `;`.
//!
//! A shell reads and runs line by line. What a line defines (an alias, an option) counts for reading
//! the next one, and when an expansion or an assignment fails bash gives up the *line* and goes on
//! with the next: `echo $((1/0))`, newline, `echo on` prints, the one-line form does not.

use super::ast::{SimpleCommand, Word};
use super::names::mentions;
use super::parser::Parsed;

/// What a text says beyond its list, about the lines it is written on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lines {
    /// Two commands are on different lines.
    pub(super) broken: bool,
    /// An expansion can fail in a way that makes bash abandon the line.
    pub(super) can_be_abandoned: bool,
}

/// Commands that change how the next line is read, or that can make a later assignment fail.
const BREAKS_JOINING: &[&str] = &[
    ".", "alias", "builtin", "command", "declare", "enable", "eval", "let", "local", "readonly",
    "set", "shopt", "source", "trap", "typeset", "unalias",
];

/// Variables bash refuses to set, or that change how it reads the next line.
const SPECIAL_VARIABLES: &[&str] = &["EUID", "POSIXLY_CORRECT", "PPID", "SHELLOPTS", "UID"];

/// Whether the lines of the text may be written as one.
pub(super) fn may_be_joined(text: &str, parsed: &Parsed) -> bool {
    // `LINENO` counts every newline, also those in comments and continuations.
    let counts_lines = text.contains('\n') && mentions(text, &parsed.list, "LINENO");
    !counts_lines
        && (!parsed.lines.broken
            || !parsed.lines.can_be_abandoned
                && !mentions(text, &parsed.list, "BASH_ALIASES")
                && parsed.list.commands().all(leaves_the_next_line_alone))
}

/// Whether a builtin that sets the variable an argument names is given it literally:
/// `printf -v "$name"` defines an alias where `name` is `BASH_ALIASES[ls]`.
fn says_what_it_sets(name: &str, arguments: &[Word]) -> bool {
    let literal = |word: &Word| word.literal().is_some();
    match name {
        "getopts" | "mapfile" | "read" | "readarray" | "wait" => arguments.iter().all(literal),
        "printf" => match arguments.first().map(Word::literal) {
            Some(Some(option)) if option.starts_with("-v") => arguments.iter().take(2).all(literal),
            Some(format) => format.is_some(),
            None => true,
        },
        _ => true,
    }
}

fn leaves_the_next_line_alone(command: &SimpleCommand) -> bool {
    let joinable_name = || {
        command.name().is_some_and(|name| {
            !BREAKS_JOINING.contains(&name.as_str())
                && says_what_it_sets(&name, command.arguments())
        })
    };
    (command.words.is_empty() || joinable_name())
        && command.assignments.iter().all(|assignment| {
            !assignment.name.starts_with("BASH")
                && !SPECIAL_VARIABLES.contains(&assignment.name.as_str())
        })
}
