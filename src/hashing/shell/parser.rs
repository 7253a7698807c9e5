//! The grammar on the whitelist: lists, pipelines, simple commands, redirections.

use super::ast::{
    Assignment, Connective, FileOperator, HereDocument, Item, List, Piece, Pipeline, Redirection,
    SimpleCommand, Source, Word,
};
use super::atoms::Atom;
use super::classify::{Declares, Place, assignment, bare_text, classify, starts_bash_assignment};
use super::cursor::Parser;
use super::lines::Lines;
use super::names;
use super::{Kept, MAX_BYTES};

/// A list, and what its text says beyond it.
pub(super) struct Parsed {
    pub(super) list: List,
    pub(super) lines: Lines,
    pub(super) here_documents: usize,
    /// A command in it, also one inside an expansion, prints how commands were written.
    pub(super) shows_source: bool,
}

/// Parses a whole text.
pub(super) fn parse(text: &str) -> Result<Parsed, Kept> {
    if text.len() > MAX_BYTES {
        return Err(Kept::TooLong);
    }
    let parsed = parse_with(text, false)?;
    if names::may_set_options(&parsed.list) { parse_with(text, true) } else { Ok(parsed) }
}

fn parse_with(text: &str, options_may_change: bool) -> Result<Parsed, Kept> {
    let mut parser = Parser { options_may_change, ..Parser::new(text) };
    let list = if text.contains('\0') { None } else { parser.list() };
    let position = parser.position;
    list.and_then(|list| parsed(parser, list)).ok_or_else(|| {
        let read = text.get(..position).unwrap_or(text);
        Kept::NotRead { position: read.chars().count() }
    })
}

/// The list with its here-documents filled in, if nothing is left over.
fn parsed(parser: Parser<'_>, mut list: List) -> Option<Parsed> {
    if parser.peek().is_some() || !parser.pending.is_empty() {
        return None;
    }
    let here_documents = parser.bodies.len();
    let mut bodies = parser.bodies.into_iter();
    for redirection in list.commands_mut().flat_map(|command| &mut command.redirections) {
        if let Redirection::HereDocument { body, .. } = redirection {
            *body = bodies.next()?;
        }
    }
    let shows_source = parser.shows_source || names::shows_source(&list);
    Some(Parsed { list, lines: parser.lines, here_documents, shows_source })
}

impl Parser<'_> {
    /// Items up to the end of the text or an unmatched `)`.
    pub(super) fn list(&mut self) -> Option<List> {
        let mut items = Vec::new();
        self.skip_lines()?;
        while !matches!(self.peek(), None | Some(b')')) {
            let (first, rest) = self.and_or()?;
            let background = self.separator()?;
            items.push(Item { first, rest, background });
            let broke = self.skip_lines()?;
            self.lines.broken |= broke && self.peek().is_some();
        }
        Some(List { items })
    }

    /// Steps over blanks, comments and newlines; whether there was a newline.
    fn skip_lines(&mut self) -> Option<bool> {
        let mut any = false;
        loop {
            self.skip_blanks()?;
            if self.peek() != Some(b'\n') {
                return Some(any);
            }
            self.end_line()?;
            any = true;
        }
    }

    /// The end of an item: `;`, `&` (true), or a newline, `)` or the end, which stay where they are.
    fn separator(&mut self) -> Option<bool> {
        match self.peek() {
            None | Some(b'\n' | b')') => Some(false),
            Some(separator @ (b';' | b'&')) => {
                self.position += 1;
                self.operator_ends()?;
                let other_operator = matches!(self.peek(), Some(b';' | b'&' | b'>' | b'|'));
                (!other_operator).then_some(separator == b'&')
            }
            Some(_) => None,
        }
    }

    fn and_or(&mut self) -> Option<(Pipeline, Vec<(Connective, Pipeline)>)> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            let connective = if self.take("&&") {
                Connective::And
            } else if self.take("||") {
                Connective::Or
            } else {
                return Some((first, rest));
            };
            self.skip_lines()?;
            rest.push((connective, self.pipeline()?));
        }
    }

    fn pipeline(&mut self) -> Option<Pipeline> {
        let negated = self.take("! ") || self.take("!\t");
        if negated {
            self.skip_blanks()?;
        }
        let mut commands = vec![self.simple_command()?];
        while self.peek() == Some(b'|') && self.peek_at(1) != Some(b'|') {
            self.position += 1;
            self.operator_ends()?;
            if self.peek() == Some(b'&') {
                return None;
            }
            self.skip_lines()?;
            commands.push(self.simple_command()?);
        }
        Some(Pipeline { negated, commands })
    }

    /// A simple command and the blanks after it.
    fn simple_command(&mut self) -> Option<SimpleCommand> {
        let mut command = SimpleCommand::default();
        let options = self.options_may_change;
        let mut declares = Declares::Nothing;
        let mut quoted_declaration = false;
        loop {
            self.skip_blanks()?;
            match self.peek() {
                None | Some(b'\n' | b';' | b'&' | b'|' | b')') => break,
                Some(b'<' | b'>') => {
                    let redirection = self.redirection(None)?;
                    command.redirections.push(redirection);
                    continue;
                }
                Some(digit @ b'0'..=b'9') if matches!(self.peek_at(1), Some(b'<' | b'>')) => {
                    self.position += 1;
                    let redirection = self.redirection(Some(digit - b'0'))?;
                    command.redirections.push(redirection);
                    continue;
                }
                Some(_) => {}
            }
            let atoms = self.word_before_operators()?;
            if !command.words.is_empty() {
                if declares != Declares::Nothing && starts_bash_assignment(&atoms) {
                    return None;
                }
                let argument = classify(&atoms, Place::Argument(declares), options)?;
                quoted_declaration |= is_quoted_declaration(&atoms, &argument);
                if quoted_declaration && assigns(&argument) {
                    return None;
                }
                command.words.push(argument);
            } else if let Some((name, value)) = assignment(&atoms) {
                let value = classify(value, Place::Value, options)?;
                command.assignments.push(Assignment { name, value });
            } else {
                if starts_bash_assignment(&atoms)
                    || bare_text(&atoms).is_some_and(|word| names::is_reserved(&word))
                {
                    return None;
                }
                let name = classify(&atoms, Place::Name, options)?;
                quoted_declaration = is_quoted_declaration(&atoms, &name);
                declares = if options {
                    Declares::Everything
                } else if names::declares(name.literal().as_deref()) {
                    Declares::WhatExpands
                } else {
                    Declares::Nothing
                };
                command.words.push(name);
            }
        }
        let empty = command.words.is_empty()
            && command.assignments.is_empty()
            && command.redirections.is_empty();
        (!empty).then_some(command)
    }

    /// Reads a word. Digits or braces right before `<` or `>` are the descriptor of that operator, also where a
    /// target is expected: `>2>f` has no target, and shells refuse it or do not agree.
    pub(super) fn word_before_operators(&mut self) -> Option<Vec<Atom<'_>>> {
        let atoms = self.atoms()?;
        let glued = matches!(self.peek(), Some(b'<' | b'>')) && may_name_a_descriptor(&atoms);
        (!glued).then_some(atoms)
    }

    fn redirection(&mut self, fd: Option<u8>) -> Option<Redirection> {
        // Longest first, as the shell's own tokeniser takes them. The rest is bash's: `<<<`, `<(`, `>(`.
        if self.take("<<") {
            if self.peek() == Some(b'<') || self.substituted {
                return None;
            }
            self.operator_ends()?;
            let strip_tabs = self.take("-");
            self.skip_blanks()?;
            self.delimiter(strip_tabs)?;
            let unread = HereDocument::Literal(String::new());
            return Some(Redirection::HereDocument { fd: fd.unwrap_or(0), body: unread });
        }
        for (operator, input) in [("<&", true), (">&", false)] {
            if self.take(operator) {
                self.skip_blanks()?;
                let source = self.duplicated_descriptor()?;
                return Some(Redirection::Duplicate {
                    fd: fd.unwrap_or(u8::from(!input)),
                    input,
                    source,
                });
            }
        }
        let operator = FileOperator::LONGEST_FIRST
            .into_iter()
            .find(|operator| self.take(operator.spelling()))?;
        self.operator_ends()?;
        self.skip_blanks()?;
        let options = self.options_may_change;
        let atoms = self.word_before_operators()?;
        if atoms.is_empty() {
            return None;
        }
        let target = classify(&atoms, Place::Target, options)?;
        Some(Redirection::File { fd: fd.unwrap_or(operator.default_fd()), operator, target })
    }

    /// One unquoted digit, or `-`. Anything else means a file to bash and an error to dash.
    fn duplicated_descriptor(&mut self) -> Option<Source> {
        let atoms = self.word_before_operators()?;
        match atoms.as_slice() {
            [Atom::Bare('-')] => Some(Source::Closed),
            [Atom::Bare(digit)] => u8::try_from(digit.to_digit(10)?).ok().map(Source::Descriptor),
            _ => None,
        }
    }
}

/// Whether this word is `export` or the like, but quoted: bash then splits the arguments `NAME=$x` that it
/// does not split after the bare name, and dash does not.
fn is_quoted_declaration(atoms: &[Atom<'_>], word: &Word) -> bool {
    bare_text(atoms).is_none() && word.literal().is_some_and(|name| names::is_declaring(&name))
}

/// Whether an argument has the unquoted form of an assignment and that counts.
fn assigns(argument: &Word) -> bool {
    matches!(argument.pieces.first(), Some(Piece::Active(text)) if text.contains('='))
}

/// Whether a word glued to `<` or `>` could be the descriptor: more than one digit (fd 10 to bash, a
/// word to dash) or `{name}` (bash).
fn may_name_a_descriptor(atoms: &[Atom<'_>]) -> bool {
    bare_text(atoms).is_some_and(|word| {
        word.bytes().all(|byte| byte.is_ascii_digit())
            || word.starts_with('{') && word.ends_with('}')
    })
}
