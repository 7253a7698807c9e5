//! Fire-once keys of a table.

use super::atomics::Ordering;
use super::key::KeyHash;
use super::label::Named;
use super::occurrence::Occurrence;
use super::quota::{Event, Gates};
use super::table::Counter;
use super::tally::Pending;

/// How a call of a fire-once key ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firing {
    /// It fired. Without a token the key is untracked and will fire again.
    Fired(Option<u32>),
    /// It has fired already; the time is when it may again, if it may without a reset.
    Suppressed(Option<u64>),
}

impl Gates {
    /// Fires `key` unless it has fired.
    #[inline]
    pub fn fire(
        &self,
        event: &Event,
        key: KeyHash,
        ttl: Option<u64>,
        name: &impl Named,
        now: u64,
    ) -> Firing {
        let displaced = |event, count| self.directory.displaced(event, count);
        loop {
            let Some(slot) = self
                .occurrences
                .find(key)
                .or_else(|| self.occurrences.enter(key, ttl.unwrap_or_default(), now, &displaced))
            else {
                self.occurrences.counter(Counter::Untracked).fetch_add(1, Ordering::Relaxed);
                self.directory.emitted(event.place);
                return Firing::Fired(None);
            };
            let Some(firing) = self.occurrences.update(slot, |occurrence| {
                let occurrence = occurrence.unwrap_or_default();
                if let Err(retry_at) = occurrence.fire(now, ttl, 0) {
                    return (None, Firing::Suppressed(retry_at));
                }
                let token = self.next_token();
                (occurrence.fire(now, ttl, token).ok(), Firing::Fired(Some(token)))
            }) else {
                continue;
            };
            match firing {
                Firing::Fired(_) => self.directory.emitted(event.place),
                Firing::Suppressed(_) => {
                    if !self.occurrences.suppress(slot, now, name, &displaced) {
                        self.directory.displaced(event.place, 1);
                    }
                }
            }
            return firing;
        }
    }

    /// Tells how the body of firing `token` of `key` ended. A failed one re-arms after a pause.
    pub fn settle(&self, key: KeyHash, token: u32, succeeded: bool, now: u64) {
        if let Some(slot) = self.occurrences.find(key) {
            self.occurrences.update(slot, |occurrence| {
                (occurrence.unwrap_or_default().settle(now, token, succeeded), ())
            });
        }
    }

    /// Arms `key` again, at once; whether it had fired.
    pub fn reset(&self, key: KeyHash) -> bool {
        let Some(slot) = self.occurrences.find(key) else { return false };
        self.occurrences
            .update(slot, |occurrence| {
                (
                    occurrence.map(|_| Occurrence::Armed),
                    occurrence.is_some_and(|occurrence| occurrence.fired()),
                )
            })
            .unwrap_or(false)
    }

    /// What the fire-once `key` has had suppressed since somebody was last told.
    pub fn pending_once(&self, key: KeyHash) -> Pending {
        self.occurrences.pending(key)
    }

    /// Hands over what the fire-once `key` has had suppressed, once.
    pub fn take_pending_once(&self, key: KeyHash) -> Pending {
        self.told(self.occurrences.take_pending(key))
    }

    fn next_token(&self) -> u32 {
        #[allow(clippy::cast_possible_truncation)] // 2^32 firings later nobody waits for this one
        let token =
            self.occurrences.counter(Counter::Tokens).fetch_add(1, Ordering::Relaxed) as u32;
        token
    }
}
