//! The simple commands of a shell command line, each with the setting it runs in.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::hashing::shell;
use crate::hashing::shell::ast::{
    self, Connective, Item, List, Piece, Pipeline, SimpleCommand, Word,
};

use super::action::Action;
use super::argument::Argument;
use super::invocation;
use super::registry::Registry;
use super::setting::{Known, Setting};
use super::wrapper::{self, Inner};

/// Deepest nesting of `sh -c` that is followed.
const MAX_DEPTH: u32 = 8;

/// Hands over every action of a command line, in the order in which they are written.
pub(super) fn each_action(command: &str, found: impl FnMut(Action<'_>)) {
    let registry = &Registry::current();
    Walk { registry, found }.script(command, Setting::default(), 0);
}

struct Walk<'r, F> {
    registry: &'r Registry,
    found: F,
}

impl<F: FnMut(Action<'_>)> Walk<'_, F> {
    fn script(&mut self, text: &str, mut setting: Setting, depth: u32) {
        if depth >= MAX_DEPTH || text.len() > shell::MAX_BYTES {
            return;
        }
        if let Some(words) = plain_words(text) {
            return self.simple(&words, setting, depth);
        }
        let Some(list) = parsed(text).filter(|list| !renames_commands(list)) else {
            return;
        };
        for item in &list.items {
            self.item(item, &mut setting, depth);
        }
    }

    fn item(&mut self, item: &Item, setting: &mut Setting, depth: u32) {
        let pipelines = std::iter::once((Connective::And, &item.first))
            .chain(item.rest.iter().map(|(connective, pipeline)| (*connective, pipeline)));
        for (connective, pipeline) in pipelines {
            self.pipeline(pipeline, setting, depth);
            if !item.background {
                follow(pipeline, connective, setting);
                // Each command takes a copy: only what a grammar reads is worth one.
                setting.variables.retain(|name, _| self.registry.reads(name));
            }
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, setting: &Setting, depth: u32) {
        for command in &pipeline.commands {
            let mut inside = setting.clone();
            assign(command, &mut inside);
            let words: Vec<Argument<'_>> = command.words.iter().map(argument).collect();
            self.simple(&words, inside, depth);
        }
    }

    fn simple(&mut self, words: &[Argument<'_>], setting: Setting, depth: u32) {
        match wrapper::unwrapped(words, setting) {
            Inner::Command(words, setting) => self.command(words, &setting),
            Inner::Script(text, setting) => self.script(&text, setting, depth + 1),
            Inner::Unclear(words) => self.unclear(words),
            Inner::Nothing => {}
        }
    }

    /// A wrapper that cannot be read: if a tool is among its words, or in a script among them, something is
    /// done with it.
    fn unclear(&mut self, words: &[Argument<'_>]) {
        let between = |char: char| char.is_whitespace() || ";&|()'\"".contains(char);
        let tool = words
            .iter()
            .filter_map(Argument::known)
            .flat_map(|(text, _)| text.split(between))
            .find_map(|word| Some(self.registry.executable(wrapper::basename(word))?.1));
        tool.map(Action::unclear).into_iter().for_each(&mut self.found);
    }

    fn command(&mut self, words: &[Argument<'_>], setting: &Setting) {
        let Some((Argument::Literal(executable), arguments)) = words.split_first() else {
            return;
        };
        if self.registry.has_patterns() {
            let matched = canonical(words).and_then(|text| self.registry.matched(&text));
            if let Some(action) = matched {
                return (self.found)(action);
            }
        }
        if let Some((grammar, tool)) = self.registry.executable(wrapper::basename(executable)) {
            let action = invocation::read(self.registry, grammar, tool, arguments, setting);
            action.into_iter().for_each(&mut self.found);
        }
    }
}

/// The words of one simple command in which every byte stands for itself, most of all commands: it
/// need not be parsed. Reserved words are no tools, so they need no care here.
fn plain_words(text: &str) -> Option<SmallVec<[Argument<'_>; 8]>> {
    if !text.bytes().all(is_plain) {
        return None;
    }
    let mut words = text.split_ascii_whitespace().peekable();
    if words.peek().is_some_and(|first| first.contains('=')) {
        return None;
    }
    Some(words.map(|word| Argument::Literal(word.into())).collect())
}

/// A byte that stands for itself wherever it is, or a blank.
pub(super) fn is_plain(byte: u8) -> bool {
    const PLAIN: [bool; 256] = {
        let mut plain = [false; 256];
        let all = b" _./:,@%=-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut at = 0;
        while at < all.len() {
            plain[all[at] as usize] = true;
            at += 1;
        }
        plain
    };
    PLAIN[usize::from(byte)]
}

/// The list of a script. A leading `time`, a reserved word in bash, is read as the command of that
/// name: both run the rest as it is.
fn parsed(text: &str) -> Option<List> {
    let rest = text.trim_start_matches([' ', '\t', '\n']).strip_prefix("time");
    match rest.filter(|rest| rest.starts_with([' ', '\t'])) {
        Some(rest) => shell::parse(&format!("\\time{rest}")),
        None => shell::parse(text),
    }
}

/// Whether a command of the list can make another name mean something else.
fn renames_commands(list: &List) -> bool {
    list.commands().any(|command| command.name().is_some_and(|name| name == "alias"))
}

/// What a command in the current shell changes for those behind it.
fn follow(pipeline: &Pipeline, connective: Connective, setting: &mut Setting) {
    let [command] = &pipeline.commands[..] else {
        return; // each command of a longer pipeline has a shell of its own
    };
    let Some(name) = command.name() else {
        if command.words.is_empty() {
            assign(command, setting);
        }
        return;
    };
    match name.as_str() {
        "cd" | "pushd" => {
            let to = match (connective, command.arguments()) {
                (Connective::And, [path]) => path.literal().filter(|path| !path.starts_with('-')),
                _ => None,
            };
            setting.change_directory(to.map_or(Known::Unknown, Known::Text));
        }
        "popd" => setting.change_directory(Known::Unknown),
        "export" => command.arguments().iter().for_each(|word| export(word, setting)),
        "unset" => {
            for name in command.arguments().iter().filter_map(Word::literal) {
                setting.variables.remove(&name);
            }
        }
        _ => {}
    }
}

/// `export NAME=value`; an unquoted expansion in the value leaves it unknown.
fn export(word: &Word, setting: &mut Setting) {
    match argument(word) {
        Argument::Unknown => {
            let start = word.pieces.first().map(|piece| match piece {
                Piece::Literal(text) | Piece::Active(text) => text.as_str(),
                Piece::Expansion(_) | Piece::Quoted(_) => "",
            });
            if let Some((name, _)) = start.and_then(|text| text.split_once('=')) {
                setting.variables.insert(name.to_owned(), Known::Unknown);
            }
        }
        known => setting.assign(&known),
    }
}

fn assign(command: &SimpleCommand, setting: &mut Setting) {
    for assignment in &command.assignments {
        let value = assignment.value.literal().map_or(Known::Unknown, Known::Text);
        setting.variables.insert(assignment.name.clone(), value);
    }
}

/// What is known about `word` before it is expanded.
fn argument(word: &Word) -> Argument<'static> {
    let mut prefix = String::new();
    let mut complete = true;
    for piece in &word.pieces {
        match piece {
            Piece::Literal(text) if complete => prefix.push_str(text),
            Piece::Literal(_) => {}
            Piece::Active(text) if complete && stands_for_itself(text) => prefix.push_str(text),
            // `"$@"` and `"${a[@]}"` are any number of words.
            Piece::Quoted(text) if !text.contains('@') => complete = false,
            Piece::Active(_) | Piece::Expansion(_) | Piece::Quoted(_) => return Argument::Unknown,
        }
    }
    if complete { Argument::Literal(Cow::Owned(prefix)) } else { Argument::Single { prefix } }
}

/// Active text that is never expanded: an empty pair of braces, which xargs uses as a place holder,
/// and the `NAME=` of an assignment, kept apart because it decides how the value is expanded.
fn stands_for_itself(active: &str) -> bool {
    let is_name = |name: &str| name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric());
    active == "{}" || active.strip_suffix('=').is_some_and(is_name)
}

/// Literal words in canonical form, joined by single blanks.
fn canonical(words: &[Argument<'_>]) -> Option<String> {
    let word = |argument: &Argument<'_>| {
        let text = argument.literal()?.to_owned();
        Some(Word { pieces: vec![Piece::Literal(text)] })
    };
    let words: Vec<Word> = words.iter().map(word).collect::<Option<_>>()?;
    let command = SimpleCommand { words, ..SimpleCommand::default() };
    let first = Pipeline { negated: false, commands: vec![command] };
    let item = Item { first, rest: Vec::new(), background: false };
    Some(shell::print(&ast::List { items: vec![item] }))
}
