//! The tokens of JSON text: blanks, keywords, numbers, strings.

use super::Reader;
use crate::hashing::json::{Fault, Place, number, string};

impl Reader<'_, '_> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Box<Fault>> {
        if self.take(byte) { Ok(()) } else { self.syntax(what) }
    }

    pub(super) fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Refuses the text at the place reached.
    pub(super) fn syntax<T>(&self, what: &'static str) -> Result<T, Box<Fault>> {
        Fault::Syntax { what, at: Place::of(self.text, self.at) }.refuse()
    }

    pub(super) fn keyword(&mut self, word: &'static str) -> Result<(), Box<Fault>> {
        if !self.text[self.at..].starts_with(word.as_bytes()) {
            return self.syntax("a value was expected");
        }
        self.at += word.len();
        self.out.extend_from_slice(word.as_bytes());
        Ok(())
    }

    pub(super) fn number(&mut self) -> Result<(), Box<Fault>> {
        let begin = self.at;
        self.take(b'-');
        let leading_zero = self.take(b'0');
        if leading_zero && matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.syntax("a number has no leading zeros");
        }
        if !leading_zero {
            self.digits()?;
        }
        let mut is_integer = true;
        if self.take(b'.') {
            is_integer = false;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            is_integer = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        let literal = &self.source[begin..self.at];
        if is_integer {
            number::write_literal(self.out, literal, self.mode)
        } else {
            number::write_decimal(self.out, literal, self.mode)
        }
    }

    fn digits(&mut self) -> Result<(), Box<Fault>> {
        let begin = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == begin {
            return self.syntax("a digit was expected");
        }
        Ok(())
    }

    /// Reads a string that is a value.
    pub(super) fn string_value(&mut self) -> Result<(), Box<Fault>> {
        // What is decoded here is forgotten at once: the names before it stay.
        let end_of_names = self.names.len();
        self.name()?;
        string::write_string(self.out, &self.names[end_of_names..]);
        self.names.truncate(end_of_names);
        Ok(())
    }

    /// Reads a string and appends it, decoded, to the names.
    pub(super) fn name(&mut self) -> Result<(), Box<Fault>> {
        self.at += 1;
        loop {
            let begin = self.at;
            let rest = &self.text[begin..];
            let run = rest.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\');
            self.at += run.unwrap_or(rest.len());
            // A run ends at an ASCII byte, so it ends at a character.
            self.names.push_str(&self.source[begin..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    let character = self.escape()?;
                    self.names.push(character);
                }
                Some(_) => {
                    return self.syntax("a control character in a string must be escaped");
                }
                None => return self.syntax("the text ends inside a string"),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Box<Fault>> {
        let begin = self.at;
        self.at += 2;
        let character = match self.text.get(begin + 1) {
            Some(b'b') => '\u{8}',
            Some(b't') => '\t',
            Some(b'n') => '\n',
            Some(b'f') => '\u{c}',
            Some(b'r') => '\r',
            Some(&byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'u') => return self.unicode_escape(begin),
            _ => {
                self.at = begin;
                return self.syntax("a backslash must be followed by one of \"\\/bfnrtu");
            }
        };
        Ok(character)
    }

    /// Reads the digits of `\uXXXX`, and the second half if they are a high surrogate.
    fn unicode_escape(&mut self, begin: usize) -> Result<char, Box<Fault>> {
        let mut units = [self.unit()?, 0];
        let mut length = 1;
        if (0xD800..0xDC00).contains(&units[0]) && self.text[self.at..].starts_with(b"\\u") {
            self.at += 2;
            units[1] = self.unit()?;
            length = 2;
        }
        if let Some(Ok(character)) = char::decode_utf16(units.into_iter().take(length)).next() {
            return Ok(character);
        }
        self.at = begin;
        self.syntax("a \\u escape is a lone surrogate")
    }

    fn unit(&mut self) -> Result<u16, Box<Fault>> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit.and_then(|digit| u16::try_from(digit).ok()) else {
                return self.syntax("\\u must be followed by four hexadecimal digits");
            };
            unit = unit << 4 | digit;
            self.at += 1;
        }
        Ok(unit)
    }
}
