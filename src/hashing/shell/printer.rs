//! List to text, in the one style of canonical forms.
//!
//! One line, then the here-document bodies. Literal text is bare where every character allows it and
//! in single quotes where not.

use std::collections::HashSet;
use std::ops::Range;

use super::ast::{
    Connective, HereDocument, List, Piece, Pipeline, Redirection, SimpleCommand, Source, Word,
};
use super::names;

/// Literal words that need no quotes although their characters are not safe elsewhere.
const BARE_ARGUMENTS: &[&str] = &["!", "[", "]", "{}"];

/// The canonical text of a list. It ends with a newline only if it holds a here-document.
pub fn print(list: &List) -> String {
    let mut printer = Printer {
        line: String::new(),
        bodies: String::new(),
        options_may_change: names::may_set_options(list),
    };
    for (index, item) in list.items.iter().enumerate() {
        if index > 0 {
            printer.line.push_str(if list.items[index - 1].background { " " } else { "; " });
        }
        printer.pipeline(&item.first);
        for (connective, pipeline) in &item.rest {
            printer.line.push_str(match connective {
                Connective::And => " && ",
                Connective::Or => " || ",
            });
            printer.pipeline(pipeline);
        }
        if item.background {
            printer.line.push_str(" &");
        }
    }
    if !printer.bodies.is_empty() {
        printer.line.push('\n');
        printer.line.push_str(&printer.bodies);
    }
    printer.line
}

struct Printer {
    line: String,
    bodies: String,
    options_may_change: bool,
}

impl Printer {
    fn pipeline(&mut self, pipeline: &Pipeline) {
        if pipeline.negated {
            self.line.push_str("! ");
        }
        for (index, command) in pipeline.commands.iter().enumerate() {
            if index > 0 {
                self.line.push_str(" | ");
            }
            self.command(command);
        }
    }

    fn command(&mut self, command: &SimpleCommand) {
        let mut blank = "";
        for assignment in &command.assignments {
            self.line.push_str(blank);
            self.line.push_str(&assignment.name);
            self.line.push('=');
            self.word(&assignment.value, false);
            blank = " ";
        }
        if let Some(name) = command.words.first() {
            self.line.push_str(blank);
            match name.literal() {
                Some(text) if names::is_reserved(&text) => self.quote(&text),
                Some(text) if text == "[" => self.line.push_str(&text),
                _ => self.word(name, true),
            }
            blank = " ";
            let declares = names::declares(name.literal().as_deref());
            for argument in command.arguments() {
                self.line.push_str(blank);
                match argument.literal() {
                    Some(text) if BARE_ARGUMENTS.contains(&text.as_str()) => {
                        self.line.push_str(&text);
                    }
                    _ => {
                        let counts = self.options_may_change || declares && expands(argument);
                        self.word(argument, counts);
                    }
                }
            }
        }
        for redirection in &command.redirections {
            self.line.push_str(blank);
            self.redirection(redirection);
            blank = " ";
        }
    }

    fn redirection(&mut self, redirection: &Redirection) {
        match redirection {
            Redirection::File { fd, operator, target } => {
                self.descriptor(*fd, operator.default_fd());
                self.line.push_str(operator.spelling());
                self.word(target, false);
            }
            Redirection::Duplicate { fd, input, source } => {
                self.descriptor(*fd, u8::from(!input));
                self.line.push_str(if *input { "<&" } else { ">&" });
                match source {
                    Source::Descriptor(source) => self.line.push(char::from(b'0' + source)),
                    Source::Closed => self.line.push('-'),
                }
            }
            Redirection::HereDocument { fd, body } => {
                self.descriptor(*fd, 0);
                self.here_document(body);
            }
        }
    }

    fn descriptor(&mut self, fd: u8, default: u8) {
        if fd != default {
            self.line.push(char::from(b'0' + fd));
        }
    }

    fn here_document(&mut self, document: &HereDocument) {
        let (text, strip_tabs) = match document {
            HereDocument::Literal(text) => (text, false),
            HereDocument::Expanding { strip_tabs, text } => (text, *strip_tabs),
        };
        let delimiter = unused_delimiter(text, strip_tabs);
        self.line.push_str(if strip_tabs { "<<-" } else { "<<" });
        match document {
            HereDocument::Literal(_) => self.quote(&delimiter),
            HereDocument::Expanding { .. } => self.line.push_str(&delimiter),
        }
        self.bodies.push_str(text);
        self.bodies.push_str(&delimiter);
        self.bodies.push('\n');
    }

    /// `assigns`: an unquoted `NAME=` would count where this word stands.
    fn word(&mut self, word: &Word, assigns: bool) {
        let pinned = Pinned::of(&word.pieces);
        let may_be_extended_glob = self.options_may_change
            && word.pieces.iter().any(|piece| matches!(piece, Piece::Expansion(_)));
        let mut in_double_quotes = false;
        let mut before = None;
        for (index, piece) in word.pieces.iter().enumerate() {
            let quoted = matches!(piece, Piece::Quoted(_));
            if quoted != in_double_quotes {
                self.line.push('"');
                in_double_quotes = quoted;
            }
            match piece {
                Piece::Literal(text) => {
                    let needs_quotes = text.is_empty()
                        || !text.bytes().all(is_safe)
                        || pinned.holds(index)
                        || goes_on(before)
                        || may_be_extended_glob && text.contains(['+', '@'])
                        || assigns && index == 0 && starts_with_assignment(text);
                    if needs_quotes {
                        self.quote(text);
                    } else {
                        self.line.push_str(text);
                    }
                }
                Piece::Active(text) | Piece::Expansion(text) | Piece::Quoted(text) => {
                    self.line.push_str(text);
                }
            }
            before = Some(piece);
        }
        if in_double_quotes {
            self.line.push('"');
        }
    }

    fn quote(&mut self, text: &str) {
        self.line.push('\'');
        self.line.push_str(&text.replace('\'', r"'\''"));
        self.line.push('\'');
    }
}

/// Bytes that mean themselves at every place of a word.
fn is_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_./:,@%+=-".contains(&byte) || !byte.is_ascii()
}

/// Where literal pieces of a word would become active without their quotes, because of what stands
/// around them: a bracket, a brace.
struct Pinned {
    bracketed: Range<usize>,
    braced: usize,
}

impl Pinned {
    fn of(pieces: &[Piece]) -> Self {
        let holds = |piece: &Piece, char: char| match piece {
            Piece::Active(text) => text.contains(char),
            Piece::Expansion(_) => matches!(char, '[' | ']'),
            Piece::Literal(_) | Piece::Quoted(_) => false,
        };
        let first =
            |char| pieces.iter().position(|piece| holds(piece, char)).unwrap_or(pieces.len());
        let closed = pieces.iter().rposition(|piece| holds(piece, ']')).unwrap_or(0);
        Self { bracketed: first('[')..closed, braced: first('{') }
    }

    fn holds(&self, index: usize) -> bool {
        self.bracketed.contains(&index) || index > self.braced
    }
}

/// Whether the piece before a literal one would go on into it: an expansion, a tilde-prefix.
fn goes_on(before: Option<&Piece>) -> bool {
    match before {
        Some(Piece::Expansion(_)) => true,
        Some(Piece::Active(text)) => {
            text.rfind('~').is_some_and(|tilde| !text[tilde..].contains('/'))
        }
        Some(Piece::Literal(_) | Piece::Quoted(_)) | None => false,
    }
}

/// Whether the shell acts on a part of the word that is not in double quotes.
fn expands(word: &Word) -> bool {
    word.pieces.iter().any(|piece| matches!(piece, Piece::Active(_) | Piece::Expansion(_)))
}

fn starts_with_assignment(text: &str) -> bool {
    let Some((name, _)) = text.split_once('=') else { return false };
    names::is_name(name.strip_suffix('+').unwrap_or(name).as_bytes())
}

/// `EOF`, or the first of `EOF1`, `EOF2` … that is no line of the body.
fn unused_delimiter(text: &str, strip_tabs: bool) -> String {
    let taken: HashSet<&str> = text
        .split('\n')
        .map(|line| if strip_tabs { line.trim_start_matches('\t') } else { line })
        .filter(|line| line.starts_with("EOF"))
        .collect();
    let mut delimiter = String::from("EOF");
    let mut number = 0usize;
    while taken.contains(delimiter.as_str()) {
        number += 1;
        delimiter = format!("EOF{number}");
    }
    delimiter
}
