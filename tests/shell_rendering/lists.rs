//! Random lists in the shape the parser gives them.

use interlock::hashing::shell::ast::{
    Assignment, Connective, FileOperator, HereDocument, Item, List, Piece, Pipeline, Redirection,
    SimpleCommand, Source, Word,
};
use proptest::prelude::*;

/// Lists of up to three items with every construct on the whitelist.
pub(crate) fn list() -> impl Strategy<Value = List> {
    prop::collection::vec(item(), 0..4).prop_map(|items| List { items })
}

fn item() -> impl Strategy<Value = Item> {
    let connective = prop::sample::select(vec![Connective::And, Connective::Or]);
    (pipeline(), prop::collection::vec((connective, pipeline()), 0..2), any::<bool>())
        .prop_map(|(first, rest, background)| Item { first, rest, background })
}

fn pipeline() -> impl Strategy<Value = Pipeline> {
    (prop::bool::weighted(0.1), prop::collection::vec(simple_command(), 1..3))
        .prop_map(|(negated, commands)| Pipeline { negated, commands })
}

fn simple_command() -> impl Strategy<Value = SimpleCommand> {
    let assignments = prop::collection::vec(assignment(), 0..3);
    let words = (name(), prop::collection::vec(word(), 0..4));
    let redirections = prop::collection::vec(redirection(), 0..3);
    (assignments, words, redirections).prop_map(|(assignments, (name, arguments), redirections)| {
        let declares = declares(&name.literal().unwrap_or_default());
        let arguments =
            arguments.into_iter().map(|word| if declares { word } else { undeclared(word) });
        SimpleCommand {
            assignments,
            words: std::iter::once(name).chain(arguments).collect(),
            redirections,
        }
    })
}

fn name() -> impl Strategy<Value = Word> {
    const NAMES: &[&str] = &[
        "f0", "docker", "a b", "if", "!", "{", "[", "export", "alias", "", "*", "A=1", "time", "é",
        "0",
    ];
    prop::sample::select(NAMES).prop_map(literal)
}

fn assignment() -> impl Strategy<Value = Assignment> {
    let value = prop_oneof![
        text().prop_map(|text| if text.is_empty() { Word::default() } else { literal(&text) }),
        Just(Word { pieces: vec![Piece::Active("~/".into()), Piece::Literal("x".into())] }),
        Just(Word { pieces: vec![Piece::Literal("a".into()), Piece::Active(":~/".into())] }),
        expanding_word(),
    ];
    (prop::sample::select(vec!["A", "_b1", "PATH"]), value)
        .prop_map(|(name, value)| Assignment { name: name.into(), value })
}

/// An argument; one that declares (`Active("A=")`) only has a place after `export` and `alias`.
fn word() -> impl Strategy<Value = Word> {
    prop_oneof![
        4 => text().prop_map(|text| literal(&text)),
        3 => expanding_word(),
        1 => text().prop_map(|text| merged(vec![
            Piece::Active("A=".into()),
            Piece::Literal(format!("v{text}")),
            Piece::Expansion("$x".into()),
        ])),
    ]
}

/// Whether an argument has the form of an assignment, and that counts.
pub(crate) fn assigns(word: &Word) -> bool {
    word.pieces.first() == Some(&Piece::Active("A=".into()))
}

fn undeclared(mut word: Word) -> Word {
    if assigns(&word) {
        word.pieces[0] = Piece::Literal("A=".into());
    }
    merged(word.pieces)
}

fn expanding_word() -> impl Strategy<Value = Word> {
    let fixed = |pieces: &[Piece]| Just(Word { pieces: pieces.to_vec() });
    let active = |text: &str| Piece::Active(text.into());
    let expansion = |text: &str| Piece::Expansion(text.into());
    let plain = |text: &str| Piece::Literal(text.into());
    prop_oneof![
        fixed(&[active("~")]),
        fixed(&[active("~/"), plain("a b")]),
        fixed(&[plain("a"), active("{b,c}")]),
        fixed(&[active("{1..3}"), plain("'")]),
        fixed(&[active("["), plain("-"), active("a-z]"), plain("*")]),
        fixed(&[plain(""), expansion("$x")]),
        fixed(&[expansion("$x"), plain("")]),
        fixed(&[Piece::Quoted("$@".into())]),
        fixed(&[expansion("$x"), active("/"), plain("bin d")]),
        fixed(&[expansion("$x"), plain("y"), expansion("$z")]),
        fixed(&[expansion("$x"), active("-a"), expansion("$z")]),
        prop::collection::vec(segment(), 1..5).prop_map(|segments| merged(segments.concat())),
    ]
    .prop_filter("at least one part is expanded", |word| word.literal().is_none())
}

fn segment() -> impl Strategy<Value = Vec<Piece>> {
    const EXPANSIONS: &[&str] =
        &["$x", "${x:-a  b}", "$(f0 'a  b')", "`f0 x`", "$((1 + x))", "$1", "$*", "$$", "${#x}"];
    prop_oneof![
        text().prop_map(|text| if text.is_empty() { vec![] } else { vec![Piece::Literal(text)] }),
        prop::sample::select(vec!["*", "?", "**"])
            .prop_map(|text| vec![Piece::Active(text.into())]),
        prop::sample::select(EXPANSIONS).prop_map(|text| vec![Piece::Quoted(text.into())]),
        prop::sample::select(EXPANSIONS).prop_map(|text| vec![Piece::Expansion(text.into())]),
    ]
}

fn merged(pieces: Vec<Piece>) -> Word {
    let mut merged: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (merged.last_mut(), &piece) {
            (Some(Piece::Literal(text)), Piece::Literal(more))
            | (Some(Piece::Active(text)), Piece::Active(more)) => text.push_str(more),
            _ => merged.push(piece),
        }
    }
    Word { pieces: merged }
}

const LINES: &[&str] = &["", "a", "\t x", "EOF", "EOF1", "$x", "'\"", "\\", "`", "#", " $(f0 a)"];

fn redirection() -> impl Strategy<Value = Redirection> {
    use FileOperator::{Append, Clobber, Read, ReadWrite, Write};
    let operators = prop::sample::select(vec![Read, Write, Append, Clobber, ReadWrite]);
    let target = prop_oneof![text().prop_map(|text| literal(&text)), expanding_word()];
    let source = prop_oneof![(0..10u8).prop_map(Source::Descriptor), Just(Source::Closed)];
    let body = prop::collection::vec(prop::sample::select(LINES), 0..4)
        .prop_map(|lines| lines.iter().flat_map(|line| [*line, "\n"]).collect());
    let expanding = prop::sample::select(vec![
        "$x\n",
        "\\$ EOF\n",
        "\tEOF\n$(f0 'q')\n",
        "a `f0`\nEOF\nEOF2\n",
    ]);
    prop_oneof![
        (0..10u8, operators, target).prop_map(|(fd, operator, target)| Redirection::File {
            fd,
            operator,
            target
        }),
        (0..10u8, any::<bool>(), source).prop_map(|(fd, input, source)| Redirection::Duplicate {
            fd,
            input,
            source
        }),
        (0..10u8, body).prop_map(|(fd, body)| Redirection::HereDocument {
            fd,
            body: HereDocument::Literal(body)
        }),
        (0..10u8, any::<bool>(), expanding).prop_map(|(fd, strip_tabs, text)| {
            let body = HereDocument::Expanding { strip_tabs, text: text.into() };
            Redirection::HereDocument { fd, body }
        }),
    ]
}

/// Text with many characters that mean something unquoted.
fn text() -> impl Strategy<Value = String> {
    let chars: Vec<char> =
        "ab1_-./:,=+@%~*?[]{}()<>|&;#!^$`'\"\\ \t\n\r\u{c}\u{a0}é\u{1f600}A".chars().collect();
    prop::collection::vec(prop::sample::select(chars), 0..6).prop_map(String::from_iter)
}

fn literal(text: &str) -> Word {
    Word { pieces: vec![Piece::Literal(text.into())] }
}

pub(crate) fn declares(name: &str) -> bool {
    matches!(name, "export" | "alias")
}

/// Whether a newline may stand for `;` in the list.
pub(crate) fn is_joinable(list: &List) -> bool {
    let quiet = |word: &Word| {
        word.pieces.iter().all(|piece| match piece {
            Piece::Expansion(raw) | Piece::Quoted(raw) => !raw.contains("$(("),
            Piece::Literal(_) | Piece::Active(_) => true,
        })
    };
    list.commands().all(|command| {
        command.name().is_none_or(|name| name != "alias")
            && command.words.iter().all(quiet)
            && command.assignments.iter().all(|assignment| quiet(&assignment.value))
            && command.redirections.iter().all(|redirection| match redirection {
                Redirection::File { target, .. } => quiet(target),
                Redirection::Duplicate { .. } | Redirection::HereDocument { .. } => true,
            })
    })
}

/// Whether the characters of literal pieces mean themselves without quotes in this word.
pub(crate) fn literals_may_be_bare(word: &Word) -> bool {
    let expansions =
        word.pieces.iter().filter(|piece| matches!(piece, Piece::Expansion(_))).count();
    let plain = word.pieces.iter().all(|piece| match piece {
        Piece::Active(text) => text.chars().all(|char| "*?/".contains(char)) || text == "~/",
        Piece::Literal(_) | Piece::Quoted(_) | Piece::Expansion(_) => true,
    });
    plain && expansions <= 1 && !word.pieces.contains(&Piece::Literal(String::new()))
}

/// Whether an unquoted start of the word could be a reserved word or a descriptor.
pub(crate) fn needs_quotes_in_front(word: &Word) -> bool {
    word.literal().is_some_and(|text| matches!(text.as_str(), "if" | "time"))
}
