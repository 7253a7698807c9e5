//! Here-documents: the delimiter, the body, and which bodies are plain text.

use super::ast::HereDocument;
use super::atoms::Atom;
use super::cursor::Parser;
use super::expansion::Dollar;

/// A here-document whose operator has been read and whose body has not.
pub(super) struct Pending {
    delimiter: String,
    quoted: bool,
    strip_tabs: bool,
}

impl Parser<'_> {
    /// Reads the delimiter after `<<` or `<<-`. It must be literal and of one line.
    pub(super) fn delimiter(&mut self, strip_tabs: bool) -> Option<()> {
        let atoms = self.word_before_operators()?;
        let mut delimiter = String::new();
        let mut quoted = false;
        for atom in atoms {
            match atom {
                Atom::Bare(char) if char.is_ascii_alphanumeric() || "_-.!,:+%@/".contains(char) => {
                    delimiter.push(char);
                }
                Atom::Quoted(char) if char != '\n' => {
                    delimiter.push(char);
                    quoted = true;
                }
                _ => return None,
            }
        }
        if delimiter.is_empty() {
            return None;
        }
        self.pending.push(Pending { delimiter, quoted, strip_tabs });
        Some(())
    }

    /// Steps over a newline that ends a line, and over the bodies that start there.
    pub(super) fn end_line(&mut self) -> Option<()> {
        self.position += 1;
        if self.substituted {
            return self.newline_inside_a_line();
        }
        for document in std::mem::take(&mut self.pending) {
            let body = self.body(&document)?;
            self.bodies.push(body);
        }
        Some(())
    }

    fn body(&mut self, document: &Pending) -> Option<HereDocument> {
        let start = self.position;
        let mut stripped = String::new();
        loop {
            let line_start = self.position;
            let length =
                self.rest().iter().position(|&byte| byte == b'\n').unwrap_or(self.rest().len());
            let written = self.text.get(line_start..line_start + length)?;
            let line = if document.strip_tabs { written.trim_start_matches('\t') } else { written };
            self.position += length;
            let ended = self.take("\n");
            if line == document.delimiter {
                let text = self.text.get(start..line_start)?;
                let acts = !document.quoted && text.contains(['$', '`', '\\']);
                if !acts {
                    return Some(HereDocument::Literal(stripped));
                }
                self.check_expanding(text)?;
                return Some(HereDocument::Expanding {
                    strip_tabs: document.strip_tabs,
                    text: text.to_owned(),
                });
            }
            if !ended {
                return None;
            }
            stripped.push_str(line);
            stripped.push('\n');
        }
    }

    /// Every expansion of the body must end inside it. A continued line is refused: shells disagree
    /// whether it can be the delimiter.
    fn check_expanding(&mut self, text: &str) -> Option<()> {
        let mut inner = Parser { depth: self.depth, ..Parser::new(text) };
        while let Some(byte) = inner.peek() {
            match byte {
                b'\\' => {
                    inner.position += 1;
                    if inner.next_char()? == '\n' {
                        return None;
                    }
                }
                b'$' | b'`' => {
                    if let Dollar::Itself = inner.expansion(true)? {
                        inner.position += 1;
                    }
                }
                _ => inner.position += 1,
            }
        }
        self.shows_source |= inner.shows_source;
        self.lines.can_be_abandoned |= inner.lines.can_be_abandoned;
        Some(())
    }
}
