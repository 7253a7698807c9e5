//! Expansions: where they end. Their text is kept as written, so only the end has to be certain.
//!
//! Shells disagree about quotes inside `${…}` and about what a backslash does inside backquotes.
//! Whatever would need such a rule to find the end is not on the whitelist.

use super::MAX_DEPTH;
use super::cursor::Parser;
use super::names::{self, is_name_byte, is_name_start};

/// What a `$` or a backquote starts.
pub(super) enum Dollar<'a> {
    /// An expansion, as written.
    Expands(&'a str),
    /// Nothing: it is a character.
    Itself,
}

impl<'a> Parser<'a> {
    /// The expansion at the cursor, which stands on `$` or a backquote. Nothing is
    /// consumed if the `$` stands for itself.
    pub(super) fn expansion(&mut self, quoted: bool) -> Option<Dollar<'a>> {
        let start = self.position;
        if self.peek() == Some(b'`') {
            self.backquoted(quoted)?;
        } else {
            match self.peek_at(1) {
                Some(b'(') if self.peek_at(2) == Some(b'(') => self.arithmetic()?,
                Some(b'(') => self.command_substitution()?,
                Some(b'{') => self.braced(quoted)?,
                Some(b'[') => return None,
                Some(b'\'' | b'"') if !quoted => return None,
                Some(b'\\') if !quoted || self.peek_at(2) == Some(b'\n') => return None,
                Some(byte) if is_name_start(byte) => self.variable()?,
                Some(byte) if byte.is_ascii_digit() => {
                    // dash reads `$10` as `${10}`, bash as `${1}0`.
                    self.parameter_ends_after(2, u8::is_ascii_digit)?;
                }
                Some(b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') => self.position += 2,
                _ => return Some(Dollar::Itself),
            }
        }
        self.text.get(start..self.position).map(Dollar::Expands)
    }

    fn variable(&mut self) -> Option<()> {
        let length = self.rest().iter().skip(1).take_while(|&&byte| is_name_byte(byte)).count();
        self.parameter_ends_after(1 + length, |_| false)
    }

    /// Steps over a parameter of `length` bytes, unless a continuation or a byte that only some
    /// shells count as part of it follows.
    fn parameter_ends_after(
        &mut self,
        length: usize,
        contested: impl Fn(&u8) -> bool,
    ) -> Option<()> {
        self.position += length;
        let continued = self.rest().starts_with(b"\\\n");
        (!continued && !self.peek().is_some_and(|next| contested(&next))).then_some(())
    }

    fn descend(&mut self) -> Option<()> {
        self.depth += 1;
        (self.depth <= MAX_DEPTH).then_some(())
    }

    fn command_substitution(&mut self) -> Option<()> {
        self.position += 2;
        self.descend()?;
        let (substituted, broken) = (self.substituted, self.lines.broken);
        self.substituted = true;
        let list = self.list()?;
        self.shows_source |= names::shows_source(&list);
        self.substituted = substituted;
        self.lines.broken = broken;
        self.depth -= 1;
        self.take(")").then_some(())
    }

    fn backquoted(&mut self, quoted: bool) -> Option<()> {
        self.position += 1;
        let length = self.rest().iter().position(|&byte| byte == b'`')?;
        let body = self.text.get(self.position..self.position + length)?;
        if body.contains('\\') || quoted && body.contains('"') {
            return None;
        }
        if body.contains('\n') {
            self.newline_inside_a_line()?;
        }
        self.descend()?;
        let mut inner = Parser { depth: self.depth, substituted: true, ..Parser::new(body) };
        let list = inner.list()?;
        if inner.peek().is_some() {
            return None;
        }
        self.shows_source |= inner.shows_source || names::shows_source(&list);
        self.lines.can_be_abandoned |= inner.lines.can_be_abandoned;
        self.depth -= 1;
        self.position += length + 1;
        Some(())
    }

    fn arithmetic(&mut self) -> Option<()> {
        self.lines.can_be_abandoned = true;
        self.position += 3;
        self.descend()?;
        let mut open = 0u32;
        loop {
            match self.peek()? {
                b')' if open == 0 => break,
                b')' => open -= 1,
                b'(' => open += 1,
                b'$' => {
                    if let Dollar::Itself = self.expansion(true)? {
                        return None;
                    }
                    continue;
                }
                byte if is_name_byte(byte) || b" \t+-*/%<>=!&|^~?:,#".contains(&byte) => {}
                _ => return None,
            }
            self.position += 1;
        }
        self.depth -= 1;
        self.take("))").then_some(())
    }

    /// `${…}`. Quotes must be balanced and hide no brace, so that every reading ends it here.
    fn braced(&mut self, quoted: bool) -> Option<()> {
        let start = self.position + 2;
        self.position = start;
        self.descend()?;
        if !self.peek().is_some_and(|byte| is_name_byte(byte) || b"@*#?-$!".contains(&byte)) {
            return None;
        }
        self.position += 1;
        loop {
            match self.peek()? {
                b'}' => break,
                b'{' | b'\\' | b'`' | b'(' | b')' => return None,
                b'\'' => self.quotes_without_braces(b'\'')?,
                b'"' => self.quotes_without_braces(b'"')?,
                b'$' => {
                    if let Dollar::Itself = self.expansion(quoted)? {
                        self.position += 1;
                    }
                }
                byte => {
                    if byte == b'\n' {
                        self.newline_inside_a_line()?;
                    }
                    self.position += 1;
                }
            }
        }
        self.position += 1;
        self.depth -= 1;
        let content = self.text.as_bytes().get(start..self.position - 1)?;
        self.lines.can_be_abandoned |= !is_quiet(content);
        Some(())
    }

    fn quotes_without_braces(&mut self, quote: u8) -> Option<()> {
        self.position += 1;
        loop {
            match self.peek()? {
                byte if byte == quote => break,
                b'$' if quote == b'"' => {
                    if let Dollar::Itself = self.expansion(true)? {
                        self.position += 1;
                    }
                }
                b'{' | b'}' | b'\\' | b'`' | b'\'' | b'"' | b'$' => return None,
                byte => {
                    if byte == b'\n' {
                        self.newline_inside_a_line()?;
                    }
                    self.position += 1;
                }
            }
        }
        self.position += 1;
        Some(())
    }
}

/// Whether `${content}` is one of the POSIX forms that cannot fail: a value, its length, a default,
/// an alternative, a prefix or a suffix cut off.
fn is_quiet(content: &[u8]) -> bool {
    let (parameter, measures) = match content {
        [b'#', rest @ ..] if !rest.is_empty() => (rest, true),
        _ => (content, false),
    };
    let length = match parameter.first() {
        Some(&byte) if is_name_start(byte) => {
            parameter.iter().take_while(|&&byte| is_name_byte(byte)).count()
        }
        Some(byte) if byte.is_ascii_digit() => {
            parameter.iter().take_while(|byte| byte.is_ascii_digit()).count()
        }
        _ => 1,
    };
    let operator = &parameter[length.min(parameter.len())..];
    match operator {
        [] => true,
        _ if measures || parameter.first() == Some(&b'!') => false,
        [b':', b'-' | b'+', ..] | [b'-' | b'+' | b'#' | b'%', ..] => true,
        _ => false,
    }
}
