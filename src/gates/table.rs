//! A fixed-size set-associative table without locks: a key may live in any way of one set.
//!
//! * Finding a key compares the tags of its set; nothing is written.
//! * Deciding exchanges one 128-bit word of the key's slot.
//! * Entering a key publishes an *intent* on its set: which tag goes into which way. The intent is
//!   exchanged against the one seen before the set was searched, so no key enters twice; whoever
//!   meets an unfinished intent finishes it, so a worker killed half-way holds nobody up.

use super::atomics::{AtomicU64, AtomicU128, Ordering};
use super::intent::Intent;
use super::key::KeyHash;
use super::label::Named;
use super::memory::{Carver, Cells};
use super::slot::{
    Record, Standing, packed, state_version, tag_of, unpacked, value, version, versioned,
};
use super::tally::{Denial, Pending, Tallies};

/// How many sets of how many ways; and whether keys are told apart by their whole digest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) sets: usize,
    pub(super) ways: usize,
    pub(super) whole_digest: bool,
}

impl Shape {
    pub(super) const fn slots(&self) -> usize {
        self.sets * self.ways
    }
}

/// A slot as one key found it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) index: usize,
    /// Its tag word; if this has changed, the slot is another key's.
    pub(super) word: u64,
}

pub(super) struct Table<R> {
    shape: Shape,
    tags: Cells<AtomicU64>,
    states: Cells<AtomicU128>,
    /// The second half of each key's digest, versioned; unused unless keys are told apart by it.
    rests: Cells<AtomicU64>,
    /// Window or time to live of each key, for choosing whom to evict.
    spans: Cells<AtomicU64>,
    intents: Cells<AtomicU128>,
    counters: Cells<AtomicU64>,
    pub(super) tallies: Tallies,
    record: std::marker::PhantomData<fn() -> R>,
}

/// Places in `counters`.
#[derive(Clone, Copy)]
pub(super) enum Counter {
    Evicted,
    LiveEvicted,
    Untracked,
    Tokens,
}
const COUNTERS: usize = 4;

impl<R: Record> Table<R> {
    pub(super) fn carve(carver: &mut Carver, shape: Shape) -> Option<Self> {
        let slots = shape.slots();
        let tags = carver.cells(slots);
        let states = carver.cells(slots);
        let rests = carver.cells(if shape.whole_digest { slots } else { 0 });
        let spans = carver.cells(slots);
        let intents = carver.cells(shape.sets);
        let counters = carver.cells(COUNTERS);
        let tallies = Tallies::carve(carver, slots);
        Some(Self {
            shape,
            tags: tags?,
            states: states?,
            rests: rests?,
            spans: spans?,
            intents: intents?,
            counters: counters?,
            tallies: tallies?,
            record: std::marker::PhantomData,
        })
    }

    pub(super) fn slots(&self) -> usize {
        self.shape.slots()
    }

    pub(super) fn counter(&self, which: Counter) -> &AtomicU64 {
        &self.counters[which as usize]
    }

    /// The slot of `key`, if it has one.
    #[allow(clippy::inline_always)] // returned through memory, a slot costs as much as finding it
    #[inline(always)]
    pub(super) fn find(&self, key: KeyHash) -> Option<Slot> {
        let (tag, start) = (tag_of(key.place), self.set_of(key) * self.shape.ways);
        for way in 0..self.shape.ways {
            let index = start + self.rotated(key, way);
            let word = self.tags[index].load(Ordering::Acquire);
            if value(word) == tag && self.same_rest(index, word, key) {
                return Some(Slot { index, word });
            }
            if word == 0 {
                // Never used: whoever entered the set later took this way first.
                return None;
            }
        }
        None
    }

    /// The slot of `key`, entered if it has none; `None` if every way of its set is suppressing.
    pub(super) fn enter(
        &self,
        key: KeyHash,
        span: u64,
        now: u64,
        displaced: &impl Fn(u32, u64),
    ) -> Option<Slot> {
        let set = self.set_of(key);
        loop {
            let seen = self.intents[set].load(Ordering::Acquire);
            if Intent::pending(seen) {
                self.finish(set, seen, now, displaced);
                continue;
            }
            if let Some(slot) = self.find(key) {
                return Some(slot);
            }
            let (way, victim) = self.victim(set, key, now)?;
            let word = versioned(tag_of(key.place), version(victim) + 1);
            let intent = Intent::publish(seen, way, word);
            if self.intents[set]
                .compare_exchange(seen, intent, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
            {
                self.finish(set, intent, now, displaced);
                let slot = Slot { index: set * self.shape.ways + way, word };
                self.set_span(slot, span);
                if self.same_rest(slot.index, word, key) {
                    return Some(slot);
                }
            }
        }
    }

    /// Decides on the state of `slot`: `step` says what to put in its place, if anything, and the
    /// decision. Again if others were faster; `None` if the slot is another key's now.
    #[allow(clippy::inline_always)] // as above: a decision has five words
    #[inline(always)]
    pub(super) fn update<D>(
        &self,
        slot: Slot,
        step: impl Fn(Option<R>) -> (Option<R>, D),
    ) -> Option<D> {
        let mut seen = self.states[slot.index].load(Ordering::Acquire);
        loop {
            let record = if state_version(seen) == version(slot.word) {
                unpacked(seen)
            } else if self.holds(slot) {
                None
            } else {
                return None;
            };
            let (next, decision) = step(record);
            let Some(next) = next else { return Some(decision) };
            match self.exchange(slot, seen, packed(Some(next), version(slot.word))) {
                Ok(()) => return Some(decision),
                Err(now_there) => seen = now_there,
            }
        }
    }

    /// Replaces the state of `slot` by what `restore` makes of it, while the slot is still the key's.
    pub(super) fn restore(&self, slot: Slot, restore: impl Fn(R) -> Option<R>) {
        let mut seen = self.states[slot.index].load(Ordering::Acquire);
        while state_version(seen) == version(slot.word)
            && let Some(record) = unpacked(seen)
        {
            let next = packed(restore(record), version(slot.word));
            match self.exchange(slot, seen, next) {
                Ok(()) => return,
                Err(now_there) => seen = now_there,
            }
        }
    }

    /// The state of `slot`.
    #[allow(clippy::inline_always)] // as above
    #[inline(always)]
    pub(super) fn record(&self, slot: Slot) -> Option<R> {
        let seen = self.states[slot.index].load(Ordering::Acquire);
        (state_version(seen) == version(slot.word)).then(|| unpacked(seen)).flatten()
    }

    /// Counts one suppressed emission of the key in `slot`; false if the slot is another key's now.
    #[inline]
    pub(super) fn suppress(
        &self,
        slot: Slot,
        now: u64,
        name: &impl Named,
        displaced: &impl Fn(u32, u64),
    ) -> bool {
        let still_there = || self.holds(slot);
        let denial = Denial { word: slot.word, now, name };
        self.tallies.add(slot.index, &denial, still_there, displaced)
    }

    /// What `key` has had suppressed since somebody was last told.
    pub(super) fn pending(&self, key: KeyHash) -> Pending {
        self.find(key).map(|slot| self.tallies.peek(slot.index, slot.word)).unwrap_or_default()
    }

    /// Hands that over, once.
    pub(super) fn take_pending(&self, key: KeyHash) -> Pending {
        self.find(key).map(|slot| self.tallies.take(slot.index, slot.word)).unwrap_or_default()
    }

    /// Keeps the window that a call was judged by, for choosing whom to evict.
    pub(super) fn set_span(&self, slot: Slot, span: u64) {
        if self.spans[slot.index].load(Ordering::Relaxed) != span {
            self.spans[slot.index].store(span, Ordering::Relaxed);
        }
    }

    /// The tag word of the slot at `index`.
    pub(super) fn tag_word(&self, index: usize) -> u64 {
        self.tags[index].load(Ordering::Acquire)
    }

    /// How many slots a key lives in.
    pub(super) fn occupied(&self) -> usize {
        (0..self.slots()).filter(|index| value(self.tag_word(*index)) != 0).count()
    }

    /// Forgets every key. Calls made meanwhile land before or after, key by key.
    pub(super) fn clear(&self, now: u64, displaced: &impl Fn(u32, u64)) {
        for index in 0..self.slots() {
            let word = self.tags[index].load(Ordering::Acquire);
            // A word of 0 would say that the slot was never used.
            let vacant = versioned(0, version(word) + 1).max(versioned(0, 1));
            if word != 0
                && self.tags[index]
                    .compare_exchange(word, vacant, Ordering::AcqRel, Ordering::Acquire)
                    .is_ok()
            {
                self.retire(index, vacant, displaced);
            }
        }
        for set in 0..self.shape.sets {
            let seen = self.intents[set].load(Ordering::Acquire);
            if Intent::pending(seen) {
                self.finish(set, seen, now, displaced);
            }
        }
    }

    fn set_of(&self, key: KeyHash) -> usize {
        // Lemire's multiply-shift: any number of sets, from the high bits.
        #[allow(clippy::cast_possible_truncation)] // less than `sets`
        let set = ((u128::from(key.place) * self.shape.sets as u128) >> 64) as usize;
        set
    }

    /// Wide sets are searched from a place of the key's own, so that a key is found at once.
    #[inline]
    fn rotated(&self, key: KeyHash, way: usize) -> usize {
        if !self.shape.whole_digest {
            return way;
        }
        #[allow(clippy::cast_possible_truncation)] // any bits will do
        let home = key.rest as usize % self.shape.ways;
        (home + way) % self.shape.ways
    }

    /// Whether the slot's key has the digest of `key`; the first to ask after a handover says so.
    fn same_rest(&self, index: usize, word: u64, key: KeyHash) -> bool {
        if !self.shape.whole_digest {
            return true;
        }
        let wanted = versioned(value(key.rest), version(word));
        let seen = self.rests[index].load(Ordering::Acquire);
        if seen == wanted {
            return true;
        }
        // 0 is no digest of a slot in use: the first handover raises the version to 1.
        version(seen) != version(word)
            && match self.rests[index].compare_exchange(
                seen,
                wanted,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => true,
                Err(now_there) => now_there == wanted,
            }
    }

    fn holds(&self, slot: Slot) -> bool {
        self.tags[slot.index].load(Ordering::Acquire) == slot.word
    }

    fn exchange(&self, slot: Slot, seen: u128, next: u128) -> Result<(), u128> {
        self.states[slot.index]
            .compare_exchange(seen, next, Ordering::AcqRel, Ordering::Acquire)
            .map(drop)
    }

    /// The way to give to `key`, and its tag word: one never used, else the key that loses least.
    fn victim(&self, set: usize, key: KeyHash, now: u64) -> Option<(usize, u64)> {
        let ways = (0..self.shape.ways).map(|way| self.rotated(key, way));
        let ranked = ways.filter_map(|way| {
            let index = set * self.shape.ways + way;
            let word = self.tags[index].load(Ordering::Acquire);
            let rank = self.rank(index, word, now)?;
            Some((rank, way, word))
        });
        ranked.min_by_key(|(rank, ..)| *rank).map(|(_, way, word)| (way, word))
    }

    /// What evicting the key would cost, the least first; `None` if it must stay.
    fn rank(&self, index: usize, word: u64, now: u64) -> Option<(u8, u64)> {
        if value(word) == 0 {
            return Some((0, version(word)));
        }
        let span = self.spans[index].load(Ordering::Relaxed);
        let record = self.record(Slot { index, word });
        match record.map_or(Standing::AtRest, |record| record.standing(span, now)) {
            // A count still to be reported is worth a little.
            Standing::AtRest => Some((1 + u8::from(self.tallies.any(index).is_some()), 0)),
            Standing::Live { expiry } => Some((3, expiry)),
            Standing::Suppressing => None,
        }
    }

    /// Does what `intent` says, if nobody else has.
    fn finish(&self, set: usize, intent: u128, now: u64, displaced: &impl Fn(u32, u64)) {
        let (way, word) = Intent::target(intent);
        let index = set * self.shape.ways + way;
        let seen = self.tags[index].load(Ordering::Acquire);
        if version(versioned(0, version(seen) + 1)) == version(word) {
            let rank = self.rank(index, seen, now);
            if self.tags[index]
                .compare_exchange(seen, word, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
            {
                self.count_eviction(rank);
                self.retire(index, word, displaced);
            }
        }
        // Whoever is later finds another intent, and leaves it alone.
        let _ = self.intents[set].compare_exchange(
            intent,
            Intent::done(intent),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
    }

    fn count_eviction(&self, rank: Option<(u8, u64)>) {
        if let Some((0, _)) = rank {
            return; // the way was vacant
        }
        self.counter(Counter::Evicted).fetch_add(1, Ordering::Relaxed);
        if !matches!(rank, Some((1 | 2, _))) {
            self.counter(Counter::LiveEvicted).fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Empties the words of a slot that was just handed over under the tag word `word`.
    fn retire(&self, index: usize, word: u64, displaced: &impl Fn(u32, u64)) {
        self.tallies.hand_over(index, word, displaced);
        let seen = self.states[index].load(Ordering::Acquire);
        if state_version(seen) != version(word) {
            // If the new key was faster, its word stands.
            let _ = self.exchange(Slot { index, word }, seen, packed::<R>(None, version(word)));
        }
    }
}
