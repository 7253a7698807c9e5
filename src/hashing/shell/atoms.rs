//! The characters of one word, each with how it was quoted.

use super::cursor::Parser;
use super::expansion::Dollar;

/// The smallest part of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Atom<'a> {
    /// An unquoted character.
    Bare(char),
    /// A character behind a backslash or inside quotes.
    Quoted(char),
    /// Empty quotes.
    Null,
    /// An unquoted expansion, as written.
    Expansion(&'a str),
    /// An expansion inside double quotes, as written.
    QuotedExpansion(&'a str),
}

impl<'a> Parser<'a> {
    /// The word at the cursor, without its continuations; no atoms if an operator or the end is next.
    pub(super) fn atoms(&mut self) -> Option<Vec<Atom<'a>>> {
        let mut atoms = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b')' => break,
                b'(' => return None,
                b'\'' => self.single_quoted(&mut atoms)?,
                b'"' => self.double_quoted(&mut atoms)?,
                b'\\' if self.peek_at(1) == Some(b'\n') => self.skip_continuations()?,
                b'\\' => {
                    self.position += 1;
                    atoms.push(Atom::Quoted(self.next_char()?));
                }
                b'$' | b'`' => match self.expansion(false)? {
                    Dollar::Expands(raw) => atoms.push(Atom::Expansion(raw)),
                    Dollar::Itself => atoms.push(Atom::Bare(self.next_char()?)),
                },
                _ => atoms.push(Atom::Bare(self.next_char()?)),
            }
        }
        Some(atoms)
    }

    fn single_quoted(&mut self, atoms: &mut Vec<Atom<'a>>) -> Option<()> {
        self.position += 1;
        let before = atoms.len();
        loop {
            match self.next_char()? {
                '\'' => break,
                '\n' => {
                    self.newline_inside_a_line()?;
                    atoms.push(Atom::Quoted('\n'));
                }
                other => atoms.push(Atom::Quoted(other)),
            }
        }
        if atoms.len() == before {
            atoms.push(Atom::Null);
        }
        Some(())
    }

    fn double_quoted(&mut self, atoms: &mut Vec<Atom<'a>>) -> Option<()> {
        self.position += 1;
        let before = atoms.len();
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => match self.peek_at(1)? {
                    b'\n' => self.skip_continuations()?,
                    b'$' | b'`' | b'"' | b'\\' => {
                        self.position += 1;
                        atoms.push(Atom::Quoted(self.next_char()?));
                    }
                    _ => atoms.push(Atom::Quoted(self.next_char()?)),
                },
                b'$' | b'`' => match self.expansion(true)? {
                    Dollar::Expands(raw) => atoms.push(Atom::QuotedExpansion(raw)),
                    Dollar::Itself => atoms.push(Atom::Quoted(self.next_char()?)),
                },
                byte => {
                    if byte == b'\n' {
                        self.newline_inside_a_line()?;
                    }
                    atoms.push(Atom::Quoted(self.next_char()?));
                }
            }
        }
        self.position += 1;
        if atoms.len() == before {
            atoms.push(Atom::Null);
        }
        Some(())
    }
}
