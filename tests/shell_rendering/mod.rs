//! Random lists, and random ways to write one down.

pub(crate) mod lists;

pub(crate) use lists::list;

use interlock::hashing::shell::ast::{
    Connective, HereDocument, Item, List, Piece, Pipeline, Redirection, SimpleCommand, Source, Word,
};

/// A text that stands for `list`, chosen by `seed` among all that this renderer knows.
pub(crate) fn render(list: &List, seed: u64) -> String {
    let mut renderer = Renderer {
        text: String::new(),
        bodies: String::new(),
        choice: seed | 1,
        joinable: lists::is_joinable(list),
    };
    renderer.list(list);
    renderer.text
}

struct Renderer {
    text: String,
    /// Here-documents of the line being written.
    bodies: String,
    choice: u64,
    joinable: bool,
}

impl Renderer {
    /// A number below `bound` (xorshift64*).
    fn pick(&mut self, bound: usize) -> usize {
        self.choice ^= self.choice >> 12;
        self.choice ^= self.choice << 25;
        self.choice ^= self.choice >> 27;
        let high = self.choice.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap_or_default() % bound
    }

    fn one_of(&mut self, texts: &[&str]) {
        let index = self.pick(texts.len());
        self.text.push_str(texts[index]);
    }

    fn newline(&mut self) {
        self.text.push('\n');
        self.text.push_str(&std::mem::take(&mut self.bodies));
    }

    fn lines(&mut self) {
        for _ in 0..self.pick(3) {
            self.one_of(&["", " ", "# 'comment \\", " # $(", "\t", "#"]);
            self.newline();
        }
    }

    fn maybe_blank(&mut self) {
        self.one_of(&["", "", " ", "\t", "  ", "\\\n", " \\\n "]);
    }

    fn blank(&mut self) {
        self.one_of(&[" ", " ", "\t", "  \t", " \\\n", " \\\n\\\n "]);
    }

    fn list(&mut self, list: &List) {
        self.lines();
        for (index, item) in list.items.iter().enumerate() {
            self.maybe_blank();
            self.item(item);
            let at_end = index + 1 == list.items.len();
            if item.background {
                self.maybe_blank();
                self.text.push('&');
            } else if !at_end && (!self.joinable || self.pick(2) == 0)
                || at_end && self.pick(3) == 0
            {
                self.maybe_blank();
                self.text.push(';');
            } else if !at_end {
                self.one_of(&["", " ", " # c; d", " #\\"]);
                self.newline();
            }
            // `&` and `;` would grow by a `>` or by another of them.
            self.text.push(' ');
            if at_end || self.joinable {
                self.one_of(&["", " ", "\t"]);
                let before = self.text.len();
                self.lines();
                // A comment glued to a word would be part of it.
                if self.text[before..].starts_with('#') {
                    self.text.insert(before, ' ');
                }
            }
        }
        if !self.bodies.is_empty() {
            self.newline();
        }
    }

    fn item(&mut self, item: &Item) {
        self.pipeline(&item.first);
        for (connective, pipeline) in &item.rest {
            self.maybe_blank();
            self.text.push_str(match connective {
                Connective::And => "&&",
                Connective::Or => "||",
            });
            self.maybe_blank();
            self.lines();
            self.maybe_blank();
            self.pipeline(pipeline);
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline) {
        if pipeline.negated {
            self.text.push_str("! ");
            self.maybe_blank();
        }
        for (index, command) in pipeline.commands.iter().enumerate() {
            if index > 0 {
                self.one_of(&["|", " |", " | ", "|\t"]);
                self.lines();
                self.text.push(' ');
            }
            self.command(command);
        }
    }

    /// Redirections stand anywhere among the words, in their order.
    fn command(&mut self, command: &SimpleCommand) {
        let mut redirections = command.redirections.iter().peekable();
        let words = command.assignments.len() + command.words.len();
        for position in 0..=words {
            while let Some(redirection) =
                redirections.next_if(|_| position == words || self.pick(3) == 0)
            {
                self.redirection(redirection);
                self.blank();
            }
            if let Some(assignment) = command.assignments.get(position) {
                self.text.push_str(&assignment.name);
                self.text.push('=');
                self.word(&assignment.value, true);
                self.blank();
            } else if let Some(word) =
                command.words.get(position.wrapping_sub(command.assignments.len()))
            {
                let name = position == command.assignments.len();
                let declares = command.name().is_none_or(|name| lists::declares(&name));
                match word.literal() {
                    // The arguments after a quoted `export` would be split.
                    Some(text) if name && command.arguments().iter().any(lists::assigns) => {
                        self.text.push_str(&text);
                    }
                    _ => self.word(word, name || declares),
                }
                self.blank();
            }
        }
    }

    fn redirection(&mut self, redirection: &Redirection) {
        match redirection {
            Redirection::File { fd, operator, target } => {
                self.descriptor(*fd, operator.default_fd());
                self.text.push_str(operator.spelling());
                self.maybe_blank_before_word();
                self.word(target, true);
            }
            Redirection::Duplicate { fd, input, source } => {
                self.descriptor(*fd, u8::from(!input));
                self.text.push_str(if *input { "<&" } else { ">&" });
                self.maybe_blank_before_word();
                match source {
                    Source::Descriptor(source) => self.text.push_str(&source.to_string()),
                    Source::Closed => self.text.push('-'),
                }
            }
            Redirection::HereDocument { fd, body } => {
                self.descriptor(*fd, 0);
                self.here_document(body);
            }
        }
    }

    fn maybe_blank_before_word(&mut self) {
        self.one_of(&["", " ", "\t ", " \\\n"]);
    }

    fn descriptor(&mut self, fd: u8, default: u8) {
        if fd != default || self.pick(2) == 0 {
            self.text.push_str(&fd.to_string());
        }
    }

    fn here_document(&mut self, document: &HereDocument) {
        let (text, strip_tabs, quoted) = match document {
            HereDocument::Literal(text) => {
                let tabs = text.split('\n').any(|line| line.starts_with('\t'));
                let acts = text.contains(['$', '`', '\\']);
                (text, !tabs && self.pick(2) == 0, acts || self.pick(2) == 0)
            }
            HereDocument::Expanding { strip_tabs, text } => (text, *strip_tabs, false),
        };
        let indents = strip_tabs && matches!(document, HereDocument::Literal(_));
        self.text.push_str(if strip_tabs { "<<-" } else { "<<" });
        self.maybe_blank_before_word();
        let delimiters = if quoted {
            [("'E O F'", "E O F"), ("\\X", "X"), ("\"y z\"", "y z"), ("E'n'd", "End")]
        } else {
            [("XX", "XX"), ("_e-n.d", "_e-n.d"), ("END", "END"), ("Q\\\nQ", "QQ")]
        };
        let (written, delimiter) = delimiters[self.pick(4)];
        self.text.push_str(written);
        for line in text.split_terminator('\n') {
            if indents {
                let indent = ["", "\t", "\t\t"][self.pick(3)];
                self.bodies.push_str(indent);
            }
            self.bodies.push_str(line);
            self.bodies.push('\n');
        }
        if strip_tabs && self.pick(2) == 0 {
            self.bodies.push('\t');
        }
        self.bodies.push_str(delimiter);
        self.bodies.push('\n');
    }

    /// `first`: an unquoted reserved word or `NAME=` at the start would count.
    fn word(&mut self, word: &Word, first: bool) {
        let may_be_bare =
            lists::literals_may_be_bare(word) && !(first && lists::needs_quotes_in_front(word));
        for (index, piece) in word.pieces.iter().enumerate() {
            let after_expansion =
                index > 0 && matches!(word.pieces[index - 1], Piece::Expansion(_));
            match piece {
                Piece::Literal(text) => self.literal(text, may_be_bare && !after_expansion),
                Piece::Active(text) | Piece::Expansion(text) => self.text.push_str(text),
                Piece::Quoted(text) => {
                    self.text.push('"');
                    self.text.push_str(text);
                    self.text.push('"');
                }
            }
        }
    }

    fn literal(&mut self, text: &str, may_be_bare: bool) {
        if text.is_empty() {
            self.one_of(&["''", "\"\"", "\"\\\n\""]);
        }
        let mut rest: Vec<char> = text.chars().collect();
        while !rest.is_empty() {
            let length = 1 + self.pick(rest.len());
            let run: String = rest.drain(..length).collect();
            let bare = may_be_bare
                && run.chars().all(|char| char.is_alphanumeric() || "_./,@%+-".contains(char));
            match self.pick(4) {
                0 if !run.contains('\'') => self.text.extend(["'", &run, "'"]),
                1 | 0 => self.double_quoted(&run),
                2 if !run.contains('\n') => {
                    run.chars().for_each(|char| self.text.extend(['\\', char]));
                }
                _ if bare => self.text.push_str(&run),
                _ => self.double_quoted(&run),
            }
            if may_be_bare {
                self.one_of(&["", "", "", "''", "\"\"", "\\\n"]);
            }
        }
    }

    fn double_quoted(&mut self, run: &str) {
        self.text.push('"');
        for char in run.chars() {
            if "$`\"\\".contains(char) {
                self.text.push('\\');
            }
            self.text.push(char);
        }
        self.text.push('"');
    }
}
