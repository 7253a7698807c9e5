//! Command names and variables that change how the rest of a text is read.

use super::ast::{List, Word};

/// Reserved words of dash and bash. Unquoted in the place of a command name they start a construct.
const RESERVED: &[&str] = &[
    "!", "{", "}", "[[", "]]", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for",
    "function", "if", "in", "select", "then", "time", "until", "while",
];

/// Commands whose arguments bash reads as assignments when they are written `NAME=…`, and those that
/// may stand in front of one.
const DECLARING: &[&str] =
    &["alias", "builtin", "command", "declare", "export", "local", "readonly", "typeset"];

/// Commands that can switch on `set -k`, after which every argument `NAME=…` is an assignment, or
/// `shopt -s extglob`, after which `+`, `@` and `!` in front of an expansion can be a pattern.
const SETS_OPTIONS: &[&str] =
    &[".", "builtin", "command", "eval", "set", "shopt", "source", "trap"];

/// Commands that print the text of other commands as it was written.
const SHOWS_SOURCE: &[&str] = &["bg", "caller", "fc", "fg", "history", "jobs"];

/// Variables whose value is command text as it was written.
const SOURCE_VARIABLES: &[&str] = &["BASH_COMMAND", "BASH_EXECUTION_STRING"];

/// While this variable is set, bash takes a bare name, but no quoted one, for a stopped job.
const RESUMES_BARE_NAMES: &str = "auto_resume";

pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}

/// Whether this is the name of a command whose arguments may be assignments.
pub(super) fn is_declaring(name: &str) -> bool {
    DECLARING.contains(&name)
}

/// Whether the arguments of this command may be assignments; an unknown name may be any command.
pub(super) fn declares(name: Option<&str>) -> bool {
    name.is_none_or(is_declaring)
}

/// Whether some command can set an option that changes what the words after it mean.
pub(super) fn may_set_options(list: &List) -> bool {
    list.commands().any(|command| {
        !command.words.is_empty()
            && command.name().is_none_or(|name| SETS_OPTIONS.contains(&name.as_str()))
    })
}

/// Whether a variable is named through which commands can tell how they were written.
pub(super) fn mentions_source(text: &str, list: &List) -> bool {
    SOURCE_VARIABLES
        .iter()
        .chain([&RESUMES_BARE_NAMES])
        .any(|variable| mentions(text, list, variable))
}

/// Whether a command of the list prints how commands were written.
pub(super) fn shows_source(list: &List) -> bool {
    list.commands().any(|command| {
        command.name().is_some_and(|name| {
            let arguments = command.arguments();
            SHOWS_SOURCE.contains(&name.as_str()) && !asks_for_processes(&name, arguments)
                || lists_variables(&name, arguments)
                || name == "set" && echoes_input(arguments)
        })
    })
}

/// `jobs -p` prints process numbers only.
fn asks_for_processes(name: &str, arguments: &[Word]) -> bool {
    name == "jobs" && arguments.first().and_then(Word::literal).is_some_and(|word| word == "-p")
}

/// `set -v` prints the lines after it as they are read, comments among them.
fn echoes_input(arguments: &[Word]) -> bool {
    arguments.iter().map_while(Word::literal).take_while(|word| word != "--").any(|word| {
        word == "verbose" || word.strip_prefix('-').is_some_and(|letters| letters.contains('v'))
    })
}

/// Whether the command prints every variable, the text of `bash -c` among them.
fn lists_variables(name: &str, arguments: &[Word]) -> bool {
    match name {
        "set" => arguments.is_empty(),
        "declare" | "typeset" => arguments
            .iter()
            .all(|word| word.literal().is_none_or(|option| option.starts_with(['-', '+']))),
        _ => false,
    }
}

/// Whether a variable is named in the text. A name can be written in pieces (`export LINE''NO`), so
/// literal words are looked at after quote removal.
pub(super) fn mentions(text: &str, list: &List, variable: &str) -> bool {
    text.contains(variable)
        || list.commands().any(|command| {
            command.words.iter().filter_map(Word::literal).any(|word| word.contains(variable))
        })
}

/// Whether the bytes are a variable name.
pub(super) fn is_name(text: &[u8]) -> bool {
    text.first().is_some_and(|&first| is_name_start(first))
        && text.iter().all(|&byte| is_name_byte(byte))
}

pub(super) fn is_name_start(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphabetic()
}

pub(super) fn is_name_byte(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}
