//! What to call each slot's key in a report.

use std::borrow::Cow;

use super::atomics::{AtomicU64, Ordering};
use super::key::mix;
use super::memory::{Carver, Cells};

const TEXT_WORDS: usize = if cfg!(loom) { 1 } else { 14 };
const TEXT_BYTES: usize = TEXT_WORDS * 8;
const LONGEST_TENANT: usize = 48;
/// Seal, description, text.
const LABEL_WORDS: usize = 2 + TEXT_WORDS;

const HAS_TENANT: u64 = 1 << 16;
const HAS_SUBKEY: u64 = 1 << 17;
const CUT: u64 = 1 << 18;

/// The words behind a key's hash, asked for only when there is something to report of it.
pub trait Named {
    /// The event's place in the directory.
    fn event(&self) -> u32;
    /// The tenant, where keys are separate for each.
    fn tenant(&self) -> Option<Cow<'_, str>>;
    /// The subkey.
    fn subkey(&self) -> Option<Cow<'_, str>>;
}

/// What a report calls a key. Texts longer than their room end in `…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) tenant: Option<String>,
    pub(super) subkey: Option<String>,
}

/// The labels of all slots of a table.
///
/// A label is many words, and a writer may be held up until its slot is another key's. So each is
/// sealed with a digest of the tag word and the text: words of two writers do not fit together, and
/// read as no label.
pub(super) struct Labels {
    words: Cells<AtomicU64>,
}

impl Labels {
    pub(super) fn carve(carver: &mut Carver, slots: usize) -> Option<Self> {
        Some(Self { words: carver.cells(slots * LABEL_WORDS)? })
    }

    /// Labels the key whose tag word is `word`. All who do write the same.
    pub(super) fn write(&self, slot: usize, word: u64, name: &impl Named) {
        let (description, text) = composed(name);
        let words = self.words_of(slot);
        words[1].store(description, Ordering::Relaxed);
        for (place, chunk) in words[2..].iter().zip(text) {
            place.store(chunk, Ordering::Relaxed);
        }
        words[0].store(seal(word, description, &text), Ordering::Relaxed);
    }

    /// What to call the key whose tag word is `word`; `None` if it cannot be told any more.
    pub(super) fn read(&self, slot: usize, word: u64) -> Option<Label> {
        let words = self.words_of(slot);
        let description = words[1].load(Ordering::Relaxed);
        let mut text = [0; TEXT_WORDS];
        for (chunk, place) in text.iter_mut().zip(&words[2..]) {
            *chunk = place.load(Ordering::Relaxed);
        }
        (words[0].load(Ordering::Relaxed) == seal(word, description, &text))
            .then(|| described(description, &text))
    }

    fn words_of(&self, slot: usize) -> &[AtomicU64] {
        &self.words[slot * LABEL_WORDS..][..LABEL_WORDS]
    }
}

fn seal(word: u64, description: u64, text: &[u64; TEXT_WORDS]) -> u64 {
    text.iter().fold(mix(word, description), |seal, chunk| mix(seal, *chunk))
}

fn composed(name: &impl Named) -> (u64, [u64; TEXT_WORDS]) {
    let (tenant, subkey) = (name.tenant(), name.subkey());
    let tenant_text =
        cut(tenant.as_deref().unwrap_or_default(), LONGEST_TENANT.min(TEXT_BYTES)).as_bytes();
    let whole = subkey.as_deref().unwrap_or_default();
    let subkey_text = cut(whole, TEXT_BYTES - tenant_text.len()).as_bytes();
    let mut bytes = [0; TEXT_BYTES];
    bytes[..tenant_text.len()].copy_from_slice(tenant_text);
    bytes[tenant_text.len()..][..subkey_text.len()].copy_from_slice(subkey_text);
    let flag = |set: bool, bit: u64| if set { bit } else { 0 };
    let description = tenant_text.len() as u64
        | (subkey_text.len() as u64) << 8
        | flag(tenant.is_some(), HAS_TENANT)
        | flag(subkey.is_some(), HAS_SUBKEY)
        | flag(subkey_text.len() < whole.len(), CUT);
    let mut text = [0; TEXT_WORDS];
    for (chunk, eight) in text.iter_mut().zip(bytes.chunks_exact(8)) {
        *chunk = u64::from_le_bytes(eight.try_into().unwrap_or_default());
    }
    (description, text)
}

fn described(description: u64, text: &[u64; TEXT_WORDS]) -> Label {
    let bytes: Vec<u8> = text.iter().flat_map(|chunk| chunk.to_le_bytes()).collect();
    let [tenant_length, subkey_length, ..] = description.to_le_bytes();
    // Whatever a file in shared memory says, it is read within its bounds.
    let (tenant, rest) = bytes.split_at(usize::from(tenant_length).min(TEXT_BYTES));
    let subkey = &rest[..usize::from(subkey_length).min(rest.len())];
    let shown = |bytes: &[u8], cut: bool| {
        let ellipsis = if cut { "…" } else { "" };
        String::from_utf8_lossy(bytes).into_owned() + ellipsis
    };
    Label {
        tenant: (description & HAS_TENANT != 0).then(|| shown(tenant, false)),
        subkey: (description & HAS_SUBKEY != 0).then(|| shown(subkey, description & CUT != 0)),
    }
}

/// The longest beginning of `text` that has at most `room` bytes.
fn cut(text: &str, room: usize) -> &str {
    if text.len() <= room {
        return text;
    }
    let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}
