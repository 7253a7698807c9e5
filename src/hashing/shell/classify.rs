//! Which characters of a word are active, and so must keep the way they were quoted.

use super::ast::{Piece, Word};
use super::atoms::Atom;
use super::names::{is_name, is_name_byte};

/// Where a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The command name.
    Name,
    /// After the command name; `declares` where `NAME=…` may be an assignment.
    Argument {
        /// The command may take assignments as arguments.
        declares: bool,
    },
    /// The value of an assignment.
    Value,
    /// The file of a redirection.
    Target,
}

/// The word that the atoms stand for.
///
/// Three rules make characters active, each because some shell can tell the quoted spelling from the
/// bare one:
/// * the character itself is special where it stands (glob, tilde, brace, `NAME=`);
/// * it stands between two places where a pattern can open and close (`[`, or an expansion whose
///   value holds one): `[a-z]` is not `[a'-'z]`;
/// * it follows an expansion, whose value can end in a backslash.
pub(super) fn classify(atoms: &[Atom<'_>], place: Place) -> Option<Word> {
    let active = active(atoms, place)?;
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
    (!spreads || pieces.len() == 1).then_some(Word { pieces })
}

/// Whether a quoted expansion can become no field or several.
fn may_spread(raw: &str) -> bool {
    raw == "$@" || raw.starts_with("${") && raw.contains('@')
}

fn active(atoms: &[Atom<'_>], place: Place) -> Option<Vec<bool>> {
    let mut active = vec![false; atoms.len()];
    mark_bracketed(atoms, &mut active);
    mark_braced(atoms, &mut active)?;
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
    Some(active)
}

/// Marks what can lie inside a bracket expression, brackets included.
fn mark_bracketed(atoms: &[Atom<'_>], active: &mut [bool]) {
    let opens = |atom: &Atom<'_>| matches!(atom, Atom::Bare('[') | Atom::Expansion(_));
    let closes = |atom: &Atom<'_>| matches!(atom, Atom::Bare(']') | Atom::Expansion(_));
    if let (Some(first), Some(last)) =
        (atoms.iter().position(opens), atoms.iter().rposition(closes))
    {
        mark_bare(atoms, active, first, last + 1);
    }
}

/// Marks everything from a brace that bash may expand. Brace expansion works on the text itself: what
/// it puts side by side is read again, so a `$` that stands for itself may not stay one.
fn mark_braced(atoms: &[Atom<'_>], active: &mut [bool]) -> Option<()> {
    let Some(open) = atoms.iter().position(|atom| *atom == Atom::Bare('{')) else {
        return Some(());
    };
    let after = &atoms[open..];
    let Some(close) = after.iter().rposition(|atom| *atom == Atom::Bare('}')) else {
        return Some(());
    };
    if !after[..close].iter().any(|atom| matches!(atom, Atom::Bare(',' | '.'))) {
        return Some(());
    }
    if atoms.contains(&Atom::Bare('$')) {
        return None;
    }
    mark_bare(atoms, active, open, atoms.len());
    Some(())
}

/// Marks each tilde-prefix (POSIX.1-2024, XCU 2.6.1): at the start of a word, and in what may be an
/// assignment after its `=` and each `:`. The character before it belongs to it, because it must be
/// unquoted too.
fn mark_tildes(atoms: &[Atom<'_>], place: Place, active: &mut [bool]) {
    let assigns = place == Place::Value || assignment_form(atoms).is_some();
    for (index, _) in atoms.iter().enumerate().filter(|(_, atom)| **atom == Atom::Bare('~')) {
        let start = match index.checked_sub(1) {
            None => 0,
            Some(before) if assigns && matches!(atoms[before], Atom::Bare(':' | '=')) => before,
            Some(_) => continue,
        };
        let end = atoms[index..].iter().position(|atom| *atom == Atom::Bare('/'));
        let bare = atoms[index..].iter().take_while(|atom| matches!(atom, Atom::Bare(_))).count();
        mark_bare(atoms, active, start, index + end.map_or(bare, |end| bare.min(end + 1)));
    }
}

/// Marks `NAME=` where it counts: where the command may take it as an assignment, or where something
/// in the value is expanded differently in one.
fn mark_assignment(atoms: &[Atom<'_>], place: Place, active: &mut [bool]) {
    let Some(length) = assignment_form(atoms) else { return };
    let counts = match place {
        Place::Argument { declares } => declares || active[length..].iter().any(|&active| active),
        Place::Target => active[length..].iter().any(|&active| active),
        Place::Name | Place::Value => false,
    };
    if counts {
        mark_bare(atoms, active, 0, length);
    }
}

fn mark_bare(atoms: &[Atom<'_>], active: &mut [bool], start: usize, end: usize) {
    for (atom, active) in atoms.iter().zip(active).take(end).skip(start) {
        *active |= matches!(atom, Atom::Bare(_));
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
