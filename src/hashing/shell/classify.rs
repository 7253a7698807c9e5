//! Which characters of a word are active, and so must keep the way they were quoted.

use std::ops::Range;

use super::ast::{Piece, Word};
use super::atoms::Atom;
use super::names::{is_name, is_name_byte};

/// Where a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The command name.
    Name,
    /// After the command name.
    Argument(Declares),
    /// The value of an assignment.
    Value,
    /// The file of a redirection.
    Target,
}

/// Which arguments `NAME=…` of a command may be assignments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Declares {
    /// None.
    Nothing,
    /// All, which shows where the value is expanded: an assignment is not split.
    WhatExpands,
    /// All, which makes them no arguments at all (`set -k`).
    Everything,
}

/// The word that the atoms stand for.
///
/// Three rules make characters active, each because some shell can tell the quoted spelling from the
/// bare one:
/// * the character itself is special where it stands (glob, tilde, brace, `NAME=`);
/// * it stands between two places where a pattern can open and close (`[`, or an expansion whose
///   value holds one): `[a-z]` is not `[a'-'z]`;
/// * it follows an expansion, whose value can end in a backslash.
pub(super) fn classify(atoms: &[Atom<'_>], place: Place, options_may_change: bool) -> Option<Word> {
    if atoms.contains(&Atom::Bare('$')) && gives_a_lone_dollar_meaning(atoms) {
        return None;
    }
    let mut active = active(atoms, place);
    if options_may_change {
        mark_extended_globs(atoms, &mut active);
    }
    let mut pieces: Vec<Piece> = Vec::new();
    for (&atom, &active) in atoms.iter().zip(&active) {
        match (atom, pieces.last_mut()) {
            (Atom::Bare(char), Some(Piece::Active(text))) if active => text.push(char),
            (Atom::Bare(char), _) if active => pieces.push(Piece::Active(char.into())),
            (Atom::Bare(char) | Atom::Quoted(char), Some(Piece::Literal(text))) => text.push(char),
            (Atom::Bare(char) | Atom::Quoted(char), _) => pieces.push(Piece::Literal(char.into())),
            (Atom::Null, Some(Piece::Literal(_))) => {}
            (Atom::Null, _) => pieces.push(Piece::Literal(String::new())),
            (Atom::Expansion(raw), _) => pieces.push(Piece::Expansion(raw.to_owned())),
            (Atom::QuotedExpansion(raw), _) => pieces.push(Piece::Quoted(raw.to_owned())),
        }
    }
    if place == Place::Value && pieces == [Piece::Literal(String::new())] {
        pieces.clear();
    }
    let spreads = pieces.iter().any(|piece| matches!(piece, Piece::Quoted(raw) if may_spread(raw)));
    // `"$x$@"` and `"$x""$@"` can differ in bash, by whether an empty field is left.
    if spreads && pieces.len() > 1 {
        return None;
    }
    drop_idle_nulls(&mut pieces);
    Some(Word { pieces })
}

/// Drops the quoted nothings of a word that is a field without them, because of another quoted piece.
/// Beside an unquoted piece one stays: it ends what that piece could go on into.
fn drop_idle_nulls(pieces: &mut Vec<Piece>) {
    let quoted = |piece: Option<&Piece>| matches!(piece, Some(Piece::Quoted(_)));
    for index in (0..pieces.len()).rev() {
        let before = index.checked_sub(1).and_then(|before| pieces.get(before));
        let after = pieces.get(index + 1);
        if pieces[index] == Piece::Literal(String::new())
            && (quoted(before) || quoted(after))
            && [before, after].into_iter().flatten().all(|piece| quoted(Some(piece)))
        {
            pieces.remove(index);
        }
    }
}

/// Whether a quoted expansion can become no field or several.
fn may_spread(raw: &str) -> bool {
    raw == "$@" || raw.starts_with("${") && raw.contains(['@', '!'])
}

/// Whether a `$` that stands for itself does more than that in this word. Beside an unquoted expansion
/// it keeps bash from splitting (`$x$`, but not `$x'$'`), and what brace expansion puts behind it is
/// read again.
fn gives_a_lone_dollar_meaning(atoms: &[Atom<'_>]) -> bool {
    brace_expansion(atoms).is_some() || atoms.iter().any(|atom| matches!(atom, Atom::Expansion(_)))
}

fn active(atoms: &[Atom<'_>], place: Place) -> Vec<bool> {
    let mut active = vec![false; atoms.len()];
    mark_bracketed(atoms, &mut active);
    mark_subscripted(atoms, &mut active);
    if let Some(open) = brace_expansion(atoms) {
        mark_bare(atoms, &mut active, open..atoms.len());
    }
    mark_tildes(atoms, place, &mut active);
    let mut after_expansion = false;
    for (index, &atom) in atoms.iter().enumerate() {
        match atom {
            Atom::Bare(char) => {
                active[index] |= after_expansion || matches!(char, '*' | '?');
                after_expansion = false;
            }
            Atom::Expansion(_) => after_expansion = true,
            Atom::Null => {}
            Atom::Quoted(_) | Atom::QuotedExpansion(_) => after_expansion = false,
        }
    }
    mark_assignment(atoms, place, &mut active);
    active
}

/// Marks what starts a pattern of `extglob` if the value of an expansion goes on with a parenthesis.
fn mark_extended_globs(atoms: &[Atom<'_>], active: &mut [bool]) {
    if atoms.iter().any(|atom| matches!(atom, Atom::Expansion(_))) {
        for (atom, active) in atoms.iter().zip(active) {
            *active |= matches!(atom, Atom::Bare('+' | '@' | '!'));
        }
    }
}

/// Marks a name in front of a subscript that is expanded, which bash's `unset` and the like do not expand
/// again where the name is bare.
fn mark_subscripted(atoms: &[Atom<'_>], active: &mut [bool]) {
    let name = name_length(atoms);
    let expands = |atom: &Atom<'_>| matches!(atom, Atom::Expansion(_) | Atom::QuotedExpansion(_));
    if name > 0 && atoms.get(name) == Some(&Atom::Bare('[')) && atoms.iter().any(expands) {
        mark_bare(atoms, active, 0..name);
    }
}

/// Marks what can lie inside a bracket expression, brackets included.
fn mark_bracketed(atoms: &[Atom<'_>], active: &mut [bool]) {
    let opens = |atom: &Atom<'_>| matches!(atom, Atom::Bare('[') | Atom::Expansion(_));
    let closes = |atom: &Atom<'_>| matches!(atom, Atom::Bare(']') | Atom::Expansion(_));
    if let (Some(first), Some(last)) =
        (atoms.iter().position(opens), atoms.iter().rposition(closes))
    {
        mark_bare(atoms, active, first..last + 1);
    }
}

/// Where the first brace stands that bash may expand. Brace expansion works on the text itself, so
/// that everything behind the brace can come to stand beside something else.
fn brace_expansion(atoms: &[Atom<'_>]) -> Option<usize> {
    let open = atoms.iter().position(|atom| *atom == Atom::Bare('{'))?;
    let after = &atoms[open..];
    let close = after.iter().rposition(|atom| *atom == Atom::Bare('}'))?;
    let between = &after[..close];
    let listed = between.contains(&Atom::Bare(','));
    let ranged = between.windows(2).any(|pair| *pair == [Atom::Bare('.'), Atom::Bare('.')]);
    (listed || ranged).then_some(open)
}

/// Marks each tilde-prefix (POSIX.1-2024, XCU 2.6.1): at the start of a word, and in what may be an
/// assignment after its `=` and each `:`. The character before it belongs to it, because it must be
/// unquoted too.
fn mark_tildes(atoms: &[Atom<'_>], place: Place, active: &mut [bool]) {
    let assigns = place == Place::Value || assignment_form(atoms).is_some();
    let mut in_prefix = false;
    for (index, atom) in atoms.iter().enumerate() {
        if *atom == Atom::Bare('~') {
            match index.checked_sub(1) {
                None => in_prefix = true,
                Some(before) if assigns && matches!(atoms[before], Atom::Bare(':' | '=')) => {
                    active[before] = true;
                    in_prefix = true;
                }
                Some(_) => {}
            }
        }
        in_prefix &= matches!(atom, Atom::Bare(_));
        active[index] |= in_prefix;
        in_prefix &= *atom != Atom::Bare('/');
    }
}

/// Marks `NAME=` where it counts: where the command may take it as an assignment and that shows, or where
/// a tilde in the value is expanded only in one.
fn mark_assignment(atoms: &[Atom<'_>], place: Place, active: &mut [bool]) {
    let Some(length) = assignment_form(atoms) else { return };
    let tilde = || {
        atoms
            .iter()
            .zip(active.iter())
            .skip(length)
            .any(|(atom, active)| *active && *atom == Atom::Bare('~'))
    };
    let shows = || {
        let value = atoms.iter().zip(active.iter()).skip(length);
        atoms.get(length) == Some(&Atom::Quoted('('))
            || value.into_iter().any(|(atom, active)| *active || matches!(atom, Atom::Expansion(_)))
    };
    let counts = match place {
        Place::Argument(Declares::Everything) => true,
        Place::Argument(Declares::WhatExpands) => shows(),
        Place::Argument(Declares::Nothing) | Place::Target => tilde(),
        Place::Name | Place::Value => false,
    };
    if counts {
        mark_bare(atoms, active, 0..length);
    }
}

fn mark_bare(atoms: &[Atom<'_>], active: &mut [bool], range: Range<usize>) {
    for index in range {
        active[index] |= matches!(atoms[index], Atom::Bare(_));
    }
}

/// The name and the value's atoms of an assignment word.
pub(super) fn assignment<'w, 'a>(atoms: &'w [Atom<'a>]) -> Option<(String, &'w [Atom<'a>])> {
    let length = assignment_form(atoms)?;
    let name = bare_text(&atoms[..length - 1])?;
    is_name(name.as_bytes()).then(|| (name, &atoms[length..]))
}

/// Whether bash, but not dash, reads the word as an assignment: `NAME+=` or `NAME[…`.
pub(super) fn starts_bash_assignment(atoms: &[Atom<'_>]) -> bool {
    let name = name_length(atoms);
    name > 0
        && match atoms.get(name) {
            Some(Atom::Bare('[')) => true,
            Some(Atom::Bare('+')) => atoms.get(name + 1) == Some(&Atom::Bare('=')),
            _ => false,
        }
}

/// The length of an unquoted `NAME=`, `NAME+=` or `NAME[…]=` at the start of a word.
fn assignment_form(atoms: &[Atom<'_>]) -> Option<usize> {
    let name = name_length(atoms);
    if name == 0 {
        return None;
    }
    let between = match atoms.get(name)? {
        Atom::Bare('=') => 0,
        Atom::Bare('+') if atoms.get(name + 1) == Some(&Atom::Bare('=')) => 1,
        Atom::Bare('[') => atoms[name..].iter().position(|atom| *atom == Atom::Bare('='))?,
        _ => return None,
    };
    Some(name + between + 1)
}

fn name_length(atoms: &[Atom<'_>]) -> usize {
    let part_of_name = |atom: &&Atom<'_>| matches!(atom, Atom::Bare(char) if u8::try_from(*char).is_ok_and(is_name_byte));
    if matches!(atoms.first(), Some(Atom::Bare('0'..='9'))) {
        return 0;
    }
    atoms.iter().take_while(part_of_name).count()
}

/// The text of a word without quotes or expansions.
pub(super) fn bare_text(atoms: &[Atom<'_>]) -> Option<String> {
    atoms
        .iter()
        .map(|atom| match atom {
            Atom::Bare(char) => Some(*char),
            Atom::Quoted(_) | Atom::Null | Atom::Expansion(_) | Atom::QuotedExpansion(_) => None,
        })
        .collect()
}
