//! What each slot's key has had suppressed, since when, and what to call the key in a report.

use std::borrow::Cow;

use super::atomics::{AtomicU64, Ordering};
use super::memory::{Carver, Cells};
use super::slot::{value, version, versioned};

const TEXT_WORDS: usize = 14;
const TEXT_BYTES: usize = TEXT_WORDS * 8;
const LONGEST_TENANT: usize = 48;
/// Guard word, description word, text.
const LABEL_WORDS: usize = 2 + TEXT_WORDS;

const HAS_TENANT: u64 = 1 << 48;
const HAS_SUBKEY: u64 = 1 << 49;
const CUT: u64 = 1 << 50;

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
    pub(super) event: u32,
    pub(super) tenant: Option<String>,
    pub(super) subkey: Option<String>,
}

/// A key's suppressed emissions that nobody has been told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// How many.
    pub count: u64,
    /// Time of the first.
    pub first: u64,
    /// Time of the latest.
    pub last: u64,
}

/// The counts of all slots of a table.
pub(super) struct Tallies {
    counts: Cells<AtomicU64>,
    firsts: Cells<AtomicU64>,
    lasts: Cells<AtomicU64>,
    labels: Cells<AtomicU64>,
}

impl Tallies {
    pub(super) fn carve(carver: &mut Carver, slots: usize) -> Option<Self> {
        let counts = carver.cells(slots);
        let firsts = carver.cells(slots);
        let lasts = carver.cells(slots);
        let labels = carver.cells(slots * LABEL_WORDS);
        Some(Self { counts: counts?, firsts: firsts?, lasts: lasts?, labels: labels? })
    }

    /// Counts one suppressed emission of the key whose tag word is `word`.
    ///
    /// `still_there` says whether the slot still is that key's; if not, nothing is counted and the
    /// result is false. A count that an earlier key left behind goes to `displaced`.
    #[allow(clippy::inline_always)] // a flood is denial after denial
    #[inline(always)]
    pub(super) fn add(
        &self,
        slot: usize,
        word: u64,
        now: u64,
        name: &impl Named,
        still_there: impl Fn() -> bool,
        displaced: impl Fn(u32, u64),
    ) -> bool {
        let count = self.counts[slot].load(Ordering::Acquire);
        if version(count) == version(word) && value(count) > 0 {
            let next = versioned(value(count) + 1, count);
            let counted = self.counts[slot].compare_exchange(
                count,
                next,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            if counted.is_ok() {
                self.lasts[slot].store(now, Ordering::Relaxed);
                return true;
            }
        }
        self.add_contended_or_first(slot, word, now, name, still_there, displaced)
    }

    #[cold]
    fn add_contended_or_first(
        &self,
        slot: usize,
        word: u64,
        now: u64,
        name: &impl Named,
        still_there: impl Fn() -> bool,
        displaced: impl Fn(u32, u64),
    ) -> bool {
        let mut count = self.counts[slot].load(Ordering::Acquire);
        loop {
            let own = version(count) == version(word);
            if !own && !still_there() {
                return false;
            }
            let first_of_key = !own || value(count) == 0;
            let left_behind = if own { None } else { self.event(slot) };
            if first_of_key {
                self.firsts[slot].store(now, Ordering::Relaxed);
                self.write_label(slot, word, name);
            }
            let next =
                if own { versioned(value(count) + 1, version(word)) } else { versioned(1, word) };
            match self.counts[slot].compare_exchange_weak(
                count,
                next,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    self.lasts[slot].store(now, Ordering::Relaxed);
                    if let Some(event) = left_behind {
                        displaced(event, value(count));
                    }
                    return true;
                }
                Err(seen) => count = seen,
            }
        }
    }

    /// What is pending for the key whose tag word is `word`.
    pub(super) fn peek(&self, slot: usize, word: u64) -> Pending {
        let count = self.counts[slot].load(Ordering::Acquire);
        if version(count) == version(word) {
            self.pending(slot, value(count))
        } else {
            Pending::default()
        }
    }

    /// Hands over what is pending for the key whose tag word is `word`, once.
    pub(super) fn take(&self, slot: usize, word: u64) -> Pending {
        let mut count = self.counts[slot].load(Ordering::Acquire);
        while version(count) == version(word) && value(count) > 0 {
            let pending = self.pending(slot, value(count));
            match self.counts[slot].compare_exchange_weak(
                count,
                versioned(0, word),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return pending,
                Err(seen) => count = seen,
            }
        }
        Pending::default()
    }

    /// Empties the slot for the key whose tag word is `word`; what an earlier key left behind goes
    /// to `displaced`.
    pub(super) fn hand_over(&self, slot: usize, word: u64, displaced: impl Fn(u32, u64)) {
        let count = self.counts[slot].load(Ordering::Acquire);
        if version(count) == version(word) {
            return;
        }
        let event = self.event(slot);
        let next = versioned(0, word);
        // Whoever loses this race sees the new version and has nothing left to do.
        if self.counts[slot]
            .compare_exchange(count, next, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
            && let Some(event) = event
        {
            displaced(event, value(count));
        }
    }

    /// Whether anything is pending, whoever's it is.
    pub(super) fn any(&self, slot: usize) -> bool {
        value(self.counts[slot].load(Ordering::Relaxed)) > 0
    }

    /// Forgets every count: what a forked child must not report is its parent's.
    pub(super) fn forget(&self) {
        for count in self.counts.iter() {
            let word = count.load(Ordering::Acquire);
            count.store(versioned(0, version(word)), Ordering::Release);
        }
    }

    /// What to call the key whose tag word is `word`; `None` if the slot has been handed on.
    pub(super) fn label(&self, slot: usize, word: u64) -> Option<Label> {
        let words = self.label_words(slot);
        if words[0].load(Ordering::Acquire) != word {
            return None;
        }
        let description = words[1].load(Ordering::Relaxed);
        let mut text = [0_u8; TEXT_BYTES];
        for (chunk, word) in text.chunks_exact_mut(8).zip(&words[2..]) {
            chunk.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        if words[0].load(Ordering::Acquire) != word {
            return None;
        }
        let tenant_length = usize::from(description.to_le_bytes()[4]).min(TEXT_BYTES);
        let subkey_length = usize::from(description.to_le_bytes()[5]);
        let (tenant, rest) = text.split_at(tenant_length);
        let subkey = &rest[..subkey_length.min(rest.len())];
        let shown = |bytes: &[u8], cut: bool| {
            let ellipsis = if cut { "…" } else { "" };
            String::from_utf8_lossy(bytes).into_owned() + ellipsis
        };
        Some(Label {
            event: event_of(description),
            tenant: (description & HAS_TENANT != 0).then(|| shown(tenant, false)),
            subkey: (description & HAS_SUBKEY != 0).then(|| shown(subkey, description & CUT != 0)),
        })
    }

    /// The event of the last key labelled here, if any was.
    fn event(&self, slot: usize) -> Option<u32> {
        let words = self.label_words(slot);
        (words[0].load(Ordering::Acquire) != 0).then(|| event_of(words[1].load(Ordering::Relaxed)))
    }

    fn label_words(&self, slot: usize) -> &[AtomicU64] {
        &self.labels[slot * LABEL_WORDS..][..LABEL_WORDS]
    }

    fn write_label(&self, slot: usize, word: u64, name: &impl Named) {
        let words = self.label_words(slot);
        if words[0].load(Ordering::Acquire) == word {
            return;
        }
        let tenant = name.tenant();
        let subkey = name.subkey();
        let tenant_text = cut(tenant.as_deref().unwrap_or_default(), LONGEST_TENANT);
        let whole = subkey.as_deref().unwrap_or_default();
        let subkey_text = cut(whole, TEXT_BYTES - tenant_text.len());
        let mut text = [0_u8; TEXT_BYTES];
        text[..tenant_text.len()].copy_from_slice(tenant_text.as_bytes());
        text[tenant_text.len()..][..subkey_text.len()].copy_from_slice(subkey_text.as_bytes());
        let flag = |set: bool, bit: u64| if set { bit } else { 0 };
        let description = u64::from(name.event())
            | (tenant_text.len() as u64) << 32
            | (subkey_text.len() as u64) << 40
            | flag(tenant.is_some(), HAS_TENANT)
            | flag(subkey.is_some(), HAS_SUBKEY)
            | flag(subkey_text.len() < whole.len(), CUT);
        // All who write under one tag word write the same text; the guard keeps readers out of a
        // text that belongs to another.
        words[0].store(0, Ordering::Release);
        words[1].store(description, Ordering::Relaxed);
        for (word, chunk) in words[2..].iter().zip(text.chunks_exact(8)) {
            word.store(u64::from_le_bytes(chunk.try_into().unwrap_or_default()), Ordering::Relaxed);
        }
        words[0].store(word, Ordering::Release);
    }

    fn pending(&self, slot: usize, count: u64) -> Pending {
        let last = self.lasts[slot].load(Ordering::Relaxed);
        // Stored one after the other by different callers, so they may be seen out of order.
        let first = self.firsts[slot].load(Ordering::Relaxed);
        Pending { count, first, last: last.max(first) }
    }
}

#[allow(clippy::cast_possible_truncation)] // the low half
const fn event_of(description: u64) -> u32 {
    description as u32
}

/// The longest beginning of `text` that has at most `room` bytes.
fn cut(text: &str, room: usize) -> &str {
    if text.len() <= room {
        return text;
    }
    let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}
