//! Reports: what was suppressed, of which key; and the totals.

use super::atomics::Ordering;
use super::directory::Totals;
use super::quota::Gates;
use super::slot::Record;
use super::table::{Counter, Table};
use super::tally::Pending;

/// What a report calls all keys that lost their slot before they were reported.
pub const EVICTED: &str = "<evicted>";

/// What was suppressed of one key since it was last reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// The event's name.
    pub event: String,
    /// The tenant, where keys are separate for each.
    pub tenant: Option<String>,
    /// The subkey; [`EVICTED`] for keys that lost their slot.
    pub subkey: Option<String>,
    /// How many.
    pub count: u64,
    /// Whether that stands for so many or more.
    pub saturated: bool,
    /// Times of the first and the latest, unless the key lost its slot.
    pub span: Option<(u64, u64)>,
}

/// The state of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Slots for keys of windows and rates.
    pub capacity: usize,
    /// How many of them are in use.
    pub keys: usize,
    /// How many fire-once keys are known.
    pub fire_once_keys: usize,
    /// Keys that lost their slot to another.
    pub evicted: u64,
    /// Of these, how many still had a window running.
    pub live_evicted: u64,
    /// Calls of keys that could not get a slot.
    pub untracked: u64,
    /// Totals of each event.
    pub events: Vec<Totals>,
}

impl Gates {
    /// Hands over every pending count, once, sorted by event, tenant and subkey.
    pub fn drain(&self) -> Vec<Suppression> {
        let mut report = Vec::new();
        self.drain_table(&self.quotas, &mut report);
        self.drain_table(&self.occurrences, &mut report);
        for place in 0..self.directory.len() {
            let count = self.directory.take_displaced(place);
            if count > 0 {
                report.push(Suppression {
                    event: self.directory.name(place),
                    tenant: None,
                    subkey: Some(EVICTED.to_owned()),
                    count,
                    saturated: false,
                    span: None,
                });
            }
        }
        report.sort_by(|a, b| {
            (&a.event, &a.tenant, &a.subkey).cmp(&(&b.event, &b.tenant, &b.subkey))
        });
        report
    }

    /// Totals and the state of the table. Reads the whole table.
    pub fn stats(&self) -> Stats {
        let mut pending = vec![0; self.directory.len()];
        let keys = Self::survey(&self.quotas, &mut pending);
        let fire_once_keys = Self::survey(&self.occurrences, &mut pending);
        let sum = |which: Counter| {
            self.quotas.counter(which).load(Ordering::Relaxed)
                + self.occurrences.counter(which).load(Ordering::Relaxed)
        };
        Stats {
            capacity: self.quotas.slots(),
            keys,
            fire_once_keys,
            evicted: sum(Counter::Evicted),
            live_evicted: sum(Counter::LiveEvicted),
            untracked: sum(Counter::Untracked),
            events: (0..pending.len())
                .map(|place| self.directory.totals(place, pending[place]))
                .collect(),
        }
    }

    /// Sets every count to 0 and keeps all decisions: a forked child has suppressed nothing yet.
    pub fn forget_counts(&self) {
        self.quotas.tallies.forget();
        self.occurrences.tallies.forget();
        self.directory.forget();
    }

    /// Notes in the event's totals that `pending` is being told to somebody.
    pub(super) fn told(&self, pending: Pending) -> Pending {
        if pending.count > 0 {
            self.directory.reported(pending.event, pending.count);
        }
        pending
    }

    fn drain_table<R: Record>(&self, table: &Table<R>, report: &mut Vec<Suppression>) {
        for (index, ..) in pending_slots(table) {
            let word = table.tag_word(index);
            // What a key that lost the slot has left there, in a denial that was faster than the
            // handover, or because a worker was killed.
            table.tallies.hand_over(index, word, |event, count| {
                self.directory.displaced(event, count);
            });
            let pending = table.tallies.take(index, word);
            let Some(label) = table.tallies.labels.read(index, word) else {
                self.directory.displaced(pending.event, pending.count);
                continue;
            };
            if self.told(pending).count > 0 {
                report.push(Suppression {
                    event: self.directory.name(pending.event as usize),
                    tenant: label.tenant,
                    subkey: label.subkey,
                    count: pending.count,
                    saturated: pending.saturated,
                    span: Some((pending.first, pending.last)),
                });
            }
        }
    }

    /// Adds the pending counts of `table` to `pending`, by event; how many slots are in use.
    fn survey<R: Record>(table: &Table<R>, pending: &mut [u64]) -> usize {
        for (_, event, count) in pending_slots(table) {
            if let Some(total) = pending.get_mut(event as usize) {
                *total += count;
            }
        }
        table.occupied()
    }
}

/// The slots with a pending count, its event, and how much.
fn pending_slots<R: Record>(table: &Table<R>) -> impl Iterator<Item = (usize, u32, u64)> + '_ {
    (0..table.slots())
        .filter_map(|index| table.tallies.any(index).map(|(event, count)| (index, event, count)))
}
