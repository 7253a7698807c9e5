//! The reader: a position in the text, and the blanks, comments and continuations that it skips.

use super::heredoc::Pending;
use super::lines::Lines;

/// A recursive-descent parser for one text. Every method that can fail returns None, which means:
/// not on the whitelist.
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) position: usize,
    pub(super) depth: u32,
    /// Inside `$(…)` or backquotes, where comments and here-documents are not on the whitelist.
    pub(super) substituted: bool,
    /// A command may set options that change what words mean.
    pub(super) options_may_change: bool,
    /// A command inside an expansion prints how commands were written.
    pub(super) shows_source: bool,
    /// Here-documents whose body starts at the next newline.
    pub(super) pending: Vec<Pending>,
    /// Bodies read so far, in the order of their operators.
    pub(super) bodies: Vec<super::ast::HereDocument>,
    pub(super) lines: Lines,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            position: 0,
            depth: 0,
            substituted: false,
            options_may_change: false,
            shows_source: false,
            pending: Vec::new(),
            bodies: Vec::new(),
            lines: Lines::default(),
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.position + ahead).copied()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.position..).unwrap_or_default()
    }

    /// Steps over `expected` if it comes next.
    pub(super) fn take(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected.as_bytes());
        if found {
            self.position += expected.len();
        }
        found
    }

    /// The next character, or None at the end.
    pub(super) fn next_char(&mut self) -> Option<char> {
        let next = self.text.get(self.position..)?.chars().next()?;
        self.position += next.len_utf8();
        Some(next)
    }

    /// Refuses a newline inside an expansion while a here-document waits for the next line: shells
    /// disagree on where its body starts.
    pub(super) fn newline_inside_a_line(&self) -> Option<()> {
        (self.depth == 0 || self.pending.is_empty()).then_some(())
    }

    /// Steps over backslash-newline pairs.
    pub(super) fn skip_continuations(&mut self) -> Option<()> {
        while self.take("\\\n") {
            self.newline_inside_a_line()?;
        }
        Some(())
    }

    /// Steps over blanks, continuations and a comment. A comment goes up to the newline, and a
    /// backslash does not continue it.
    pub(super) fn skip_blanks(&mut self) -> Option<()> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.position += 1,
                Some(b'\\') if self.peek_at(1) == Some(b'\n') => self.skip_continuations()?,
                Some(b'#') => {
                    if self.substituted {
                        return None;
                    }
                    let length = self.rest().iter().position(|&byte| byte == b'\n');
                    self.position += length.unwrap_or(self.rest().len());
                }
                _ => return Some(()),
            }
        }
    }

    /// Refuses an operator that a continuation joins to a character it could grow by (`&\⏎&`).
    pub(super) fn operator_ends(&mut self) -> Option<()> {
        if !self.rest().starts_with(b"\\\n") {
            return Some(());
        }
        self.skip_continuations()?;
        let grows =
            matches!(self.peek(), Some(b'&' | b'|' | b';' | b'<' | b'>' | b'(' | b'-' | b'!'));
        (!grows).then_some(())
    }
}
