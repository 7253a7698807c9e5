//! What each slot's key has had suppressed, and since when.

use super::atomics::{AtomicU64, Ordering};
use super::label::{Labels, Named};
use super::memory::{Carver, Cells};
use super::slot::{EVENT_BITS, VERSION_BITS, value, version, versioned};

/// A key's suppressed emissions that nobody has been told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// How many.
    pub count: u64,
    /// Whether the count has come to its ceiling, and stands for that many or more.
    pub saturated: bool,
    /// Time of the first.
    pub first: u64,
    /// Time of the latest.
    pub last: u64,
    /// The event's place in the directory.
    pub(super) event: u32,
}

const COUNT_BITS: u32 = u64::BITS - VERSION_BITS - EVENT_BITS;

/// The largest ceiling of the count of one key between two reports.
pub const MOST: u64 = (1 << COUNT_BITS) - 1;

/// A count word: below the version of the key whose it is, the count and the event that it is of.
fn counted(event: u32, count: u64, version: u64) -> u64 {
    versioned(u64::from(event) << COUNT_BITS | count, version)
}

const fn count_of(word: u64) -> u64 {
    value(word) & MOST
}

#[allow(clippy::cast_possible_truncation)] // ten bits
const fn event_of(word: u64) -> u32 {
    (value(word) >> COUNT_BITS) as u32
}

/// The counts of all slots of a table.
pub(super) struct Tallies {
    counts: Cells<AtomicU64>,
    firsts: Cells<AtomicU64>,
    lasts: Cells<AtomicU64>,
    pub(super) labels: Labels,
    /// Where a count stays, rather than begin again at 0.
    pub(super) most: u64,
}

/// One call that was denied: the tag word of its key, its time, and its key's name.
pub(super) struct Denial<'a, N> {
    pub(super) word: u64,
    pub(super) now: u64,
    pub(super) name: &'a N,
}

impl Tallies {
    pub(super) fn carve(carver: &mut Carver, slots: usize) -> Option<Self> {
        let counts = carver.cells(slots);
        let firsts = carver.cells(slots);
        let lasts = carver.cells(slots);
        let labels = Labels::carve(carver, slots);
        Some(Self { counts: counts?, firsts: firsts?, lasts: lasts?, labels: labels?, most: MOST })
    }

    /// Counts one more suppressed emission of the key whose tag word is `word`. False, with nothing counted,
    /// if there is none to add to, or others were faster.
    #[allow(clippy::inline_always)] // a flood is denial after denial
    #[inline(always)]
    pub(super) fn add_again(&self, slot: usize, word: u64, now: u64) -> bool {
        let seen = self.counts[slot].load(Ordering::Acquire);
        let added = version(seen) == version(word)
            && count_of(seen) > 0
            && self.exchange(slot, seen, self.one_more(seen)).is_ok();
        if added {
            self.lasts[slot].store(now, Ordering::Relaxed);
        }
        added
    }

    /// Counts one suppressed emission.
    ///
    /// `still_there` says whether the slot still is that key's; if not, nothing is counted and the
    /// result is false. A count that an earlier key left behind goes to `displaced`.
    pub(super) fn add<N: Named>(
        &self,
        slot: usize,
        denial: &Denial<'_, N>,
        still_there: impl Fn() -> bool,
        displaced: impl Fn(u32, u64),
    ) -> bool {
        self.add_again(slot, denial.word, denial.now)
            || self.add_contended_or_first(slot, denial, still_there, displaced)
    }

    #[cold]
    fn add_contended_or_first<N: Named>(
        &self,
        slot: usize,
        denial: &Denial<'_, N>,
        still_there: impl Fn() -> bool,
        displaced: impl Fn(u32, u64),
    ) -> bool {
        let mut seen = self.counts[slot].load(Ordering::Acquire);
        loop {
            let own = version(seen) == version(denial.word);
            if !own && !still_there() {
                return false;
            }
            let next = if own && count_of(seen) > 0 {
                self.one_more(seen)
            } else {
                // Before the count: who sees that there is one finds its label.
                self.firsts[slot].store(denial.now, Ordering::Relaxed);
                self.labels.write(slot, denial.word, denial.name);
                counted(denial.name.event(), 1, denial.word)
            };
            match self.exchange(slot, seen, next) {
                Ok(()) => {
                    self.lasts[slot].store(denial.now, Ordering::Relaxed);
                    if !own {
                        displaced(event_of(seen), count_of(seen));
                    }
                    return true;
                }
                Err(now_there) => seen = now_there,
            }
        }
    }

    /// What is pending for the key whose tag word is `word`.
    pub(super) fn peek(&self, slot: usize, word: u64) -> Pending {
        let seen = self.counts[slot].load(Ordering::Acquire);
        if version(seen) == version(word) { self.pending(slot, seen) } else { Pending::default() }
    }

    /// Hands over what is pending for the key whose tag word is `word`, once.
    pub(super) fn take(&self, slot: usize, word: u64) -> Pending {
        let mut seen = self.counts[slot].load(Ordering::Acquire);
        while version(seen) == version(word) && count_of(seen) > 0 {
            let pending = self.pending(slot, seen);
            match self.exchange(slot, seen, versioned(0, word)) {
                Ok(()) => return pending,
                Err(now_there) => seen = now_there,
            }
        }
        Pending::default()
    }

    /// Empties the slot for the key whose tag word is `word`; what an earlier key left behind goes
    /// to `displaced`.
    pub(super) fn hand_over(&self, slot: usize, word: u64, displaced: impl Fn(u32, u64)) {
        let seen = self.counts[slot].load(Ordering::Acquire);
        // If a last denial of the earlier key is faster, its count stays for the next denial or drain.
        if version(seen) != version(word) && self.exchange(slot, seen, versioned(0, word)).is_ok() {
            displaced(event_of(seen), count_of(seen));
        }
    }

    /// Event and count of what is pending in the slot, whichever key's it is.
    pub(super) fn any(&self, slot: usize) -> Option<(u32, u64)> {
        let seen = self.counts[slot].load(Ordering::Acquire);
        (count_of(seen) > 0).then(|| (event_of(seen), count_of(seen)))
    }

    /// Forgets every count: what a forked child must not report is its parent's.
    pub(super) fn forget(&self) {
        for count in self.counts.iter() {
            let word = count.load(Ordering::Acquire);
            count.store(versioned(0, version(word)), Ordering::Release);
        }
    }

    #[inline]
    fn one_more(&self, word: u64) -> u64 {
        if count_of(word) >= self.most { word } else { word + (1 << VERSION_BITS) }
    }

    #[inline]
    fn exchange(&self, slot: usize, seen: u64, next: u64) -> Result<(), u64> {
        self.counts[slot]
            .compare_exchange(seen, next, Ordering::AcqRel, Ordering::Acquire)
            .map(drop)
    }

    fn pending(&self, slot: usize, word: u64) -> Pending {
        let last = self.lasts[slot].load(Ordering::Relaxed);
        // Stored one after the other by different callers, so they may be seen out of order.
        let first = self.firsts[slot].load(Ordering::Relaxed);
        let (count, event) = (count_of(word), event_of(word));
        Pending { count, saturated: count >= self.most, first, last: last.max(first), event }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    #![allow(clippy::unwrap_used)] // a test stops at the first surprise

    use std::borrow::Cow;

    use super::*;

    struct Name(u32);

    impl Named for Name {
        fn event(&self) -> u32 {
            self.0
        }
        fn tenant(&self) -> Option<Cow<'_, str>> {
            None
        }
        fn subkey(&self) -> Option<Cow<'_, str>> {
            None
        }
    }

    fn tallies() -> Tallies {
        let mut measuring = Carver::measuring();
        assert!(Tallies::carve(&mut measuring, 1).is_none());
        Tallies::carve(&mut Carver::private(measuring.len()).unwrap(), 1).unwrap()
    }

    #[test]
    fn a_count_stops_at_its_ceiling_and_keeps_its_event_and_version() {
        const LAST_EVENT: u32 = (1 << EVENT_BITS) - 1;
        let (tallies, word) = (tallies(), versioned(77, u64::MAX));
        tallies.counts[0].store(counted(LAST_EVENT, MOST - 2, word), Ordering::Release);
        let denial = Denial { word, now: 9, name: &Name(LAST_EVENT) };
        for expected in [MOST - 1, MOST, MOST, MOST] {
            assert!(tallies.add(0, &denial, || true, |_, _| unreachable!()));
            let pending = tallies.peek(0, word);
            assert_eq!((pending.count, pending.event), (expected, LAST_EVENT));
            assert_eq!(pending.saturated, expected == MOST);
        }
        assert_eq!(tallies.take(0, word).count, MOST);
        assert!(tallies.add(0, &denial, || true, |_, _| unreachable!()));
        assert_eq!(tallies.peek(0, word).count, 1);
    }

    #[test]
    fn a_full_count_that_is_displaced_goes_to_its_own_event() {
        let tallies = tallies();
        tallies.counts[0].store(counted(3, MOST, 1), Ordering::Release);
        let moved = std::cell::Cell::new((0, 0));
        tallies.hand_over(0, versioned(5, 2), |event, count| moved.set((event, count)));
        assert_eq!(moved.get(), (3, MOST));
        assert_eq!(tallies.any(0), None);
    }

    #[test]
    fn a_label_that_two_keys_wrote_into_is_none() {
        let tallies = tallies();
        tallies.labels.write(0, 1, &Name(0));
        assert!(tallies.labels.read(0, 1).is_some());
        assert!(tallies.labels.read(0, 2).is_none());
    }
}
