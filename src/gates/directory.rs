//! The events of a table, with their totals. Events are constants in code, so there is room for a
//! fixed number of them.

use super::GateError;
use super::atomics::{AtomicU64, Ordering};
use super::memory::{Carver, Cells};
use super::slot::EVENT_BITS;

/// How many events one table can hold. A model checker pays for every word.
pub(super) const MAX_EVENTS: usize = if cfg!(loom) { 2 } else { 1 << EVENT_BITS };
/// The longest name of an event, in bytes.
pub(super) const MAX_NAME: usize = NAME_WORDS * 8;

const NAME_WORDS: usize = if cfg!(loom) { 1 } else { 14 };
const IDENTITY: usize = 0;
const NAME_LENGTH: usize = 1;
const NAME: usize = 2;
const EMITTED: usize = NAME + NAME_WORDS;
const REPORTED: usize = EMITTED + 1;
const DISPLACED: usize = EMITTED + 2;
const ENTRY_WORDS: usize = EMITTED + 4;

/// What one event has done so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    /// The event's name.
    pub event: String,
    /// Emissions allowed.
    pub emitted: u64,
    /// Emissions suppressed.
    pub suppressed: u64,
}

pub(super) struct Directory {
    words: Cells<AtomicU64>,
}

impl Directory {
    pub(super) fn carve(carver: &mut Carver) -> Option<Self> {
        Some(Self { words: carver.cells(MAX_EVENTS * ENTRY_WORDS)? })
    }

    /// The place of the event with this identity, entered if it is new.
    pub(super) fn enter(&self, identity: u64, name: &str) -> Result<u32, GateError> {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(GateError::EventName { given: name.len() });
        }
        let identity = identity.max(1); // 0 is a free entry
        for place in 0..MAX_EVENTS {
            let entry = self.entry(place);
            let claimed =
                entry[IDENTITY].compare_exchange(0, identity, Ordering::AcqRel, Ordering::Acquire);
            if claimed.is_err_and(|seen| seen != identity) {
                continue;
            }
            // Also if it was there: whoever entered it may not have come so far, or been killed.
            write_name(entry, name);
            return u32::try_from(place).map_err(|_| GateError::TooManyEvents);
        }
        Err(GateError::TooManyEvents)
    }

    /// How many events there are.
    pub(super) fn len(&self) -> usize {
        (0..MAX_EVENTS)
            .take_while(|place| self.entry(*place)[IDENTITY].load(Ordering::Acquire) != 0)
            .count()
    }

    pub(super) fn name(&self, place: usize) -> String {
        let entry = self.entry(place);
        #[allow(clippy::cast_possible_truncation)] // at most MAX_NAME
        let length = (entry[NAME_LENGTH].load(Ordering::Acquire) as usize).min(MAX_NAME);
        let bytes: Vec<u8> = entry[NAME..EMITTED]
            .iter()
            .flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes())
            .take(length)
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Counts an emission.
    pub(super) fn emitted(&self, event: u32) {
        self.entry(event as usize)[EMITTED].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts suppressed emissions that somebody has just been told of.
    pub(super) fn reported(&self, event: u32, count: u64) {
        self.entry(event as usize)[REPORTED].fetch_add(count, Ordering::Relaxed);
    }

    /// Counts suppressed emissions whose key has lost its slot, or never had one.
    pub(super) fn displaced(&self, event: u32, count: u64) {
        if count > 0 {
            self.entry(event as usize)[DISPLACED].fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Hands over the displaced count, once.
    pub(super) fn take_displaced(&self, place: usize) -> u64 {
        let entry = self.entry(place);
        let count = entry[DISPLACED].swap(0, Ordering::AcqRel);
        entry[REPORTED].fetch_add(count, Ordering::Relaxed);
        count
    }

    /// The totals of the event at `place`, of which `pending` are still counted in slots.
    pub(super) fn totals(&self, place: usize, pending: u64) -> Totals {
        let entry = self.entry(place);
        let read = |word: usize| entry[word].load(Ordering::Relaxed);
        Totals {
            event: self.name(place),
            emitted: read(EMITTED),
            suppressed: read(REPORTED) + read(DISPLACED) + pending,
        }
    }

    /// Sets every count to 0 and keeps the events.
    pub(super) fn forget(&self) {
        for place in 0..self.len() {
            for count in &self.entry(place)[EMITTED..] {
                count.store(0, Ordering::Relaxed);
            }
        }
    }

    fn entry(&self, place: usize) -> &[AtomicU64] {
        // An index read from shared memory may be anything.
        &self.words[(place % MAX_EVENTS) * ENTRY_WORDS..][..ENTRY_WORDS]
    }
}

fn write_name(entry: &[AtomicU64], name: &str) {
    for (word, chunk) in entry[NAME..EMITTED].iter().zip(name.as_bytes().chunks(8)) {
        let mut bytes = [0; 8];
        bytes[..chunk.len()].copy_from_slice(chunk);
        word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
    }
    entry[NAME_LENGTH].store(name.len() as u64, Ordering::Release);
}
