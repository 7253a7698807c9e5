//! The index: at most one proposal in flight for each (org, kind, identity), decided under one lock of one shard.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use foldhash::quality::RandomState;
use parking_lot::{Mutex, MutexGuard};

use super::entry::{Entry, Proposed, Texts, target_of};
use super::identity::CANON_VERSION;
use super::ids::{Id, Ids};
use super::neighbours::{Neighbours, Place};
use super::shard::{Hashed, Key, Shard};
use super::{IndexError, LifecycleState};

const MAX_SHARDS: usize = 8;
/// Fewer entries than this in a shard would not be worth a lock of their own.
const MIN_SHARD: usize = 1024;
/// How many ended entries are remembered for those who ask, where no cooldown needs more.
const REMEMBERED: usize = 65_536;
/// How many entries with the same logical key, and how many on the same target, a decision shows for a key.
pub const SHOWN: usize = 100;

/// What an index keeps to. Durations are integer nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long a pending entry waits and an execution may take; None for ever.
    pub lease: Option<i64>,
    /// How long a completed or cancelled entry suppresses equal ones.
    pub cooldown: Option<i64>,
    /// How many entries may be in flight. As many ended ones are remembered where there is a cooldown.
    pub capacity: usize,
}

/// A proposal to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The org, or None where the index is used without orgs.
    pub org: Option<&'a str>,
    /// Its kind.
    pub kind: &'a str,
    /// Its identity.
    pub content_hash: &'a [u8; 32],
    /// The identity that an earlier canonical form gave it, where entries may still have that.
    pub former_hash: Option<&'a [u8; 32]>,
    /// The first bytes of the digest of the canonical form.
    pub cmd_hash: [u8; 6],
    /// The proposer's label.
    pub display_id: Option<&'a str>,
}

impl<'a> Candidate<'a> {
    fn key(&self, content_hash: &'a [u8; 32]) -> Key<'a> {
        Key { org: self.org, kind: self.kind, content_hash }
    }
}

/// Why a proposal is or is not a duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is not.
    New,
    /// An equal one is in flight.
    InFlight,
    /// An equal one was completed or cancelled recently.
    Cooldown,
}

/// What became of a proposal.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Why.
    pub reason: Reason,
    /// The entry that now stands for it, new or collapsed into.
    pub stored: Entry,
    /// Entries in flight with one of its logical keys, oldest first; none for a duplicate.
    pub cluster: Vec<Entry>,
    /// Entries in flight on one of its targets with another verb, oldest first; none for a duplicate.
    pub related: Vec<Entry>,
}

/// The index. Any number of threads may use it; each call locks one shard at a time, briefly.
pub struct Index {
    pub(super) settings: Settings,
    pub(super) shards: Box<[Mutex<Shard>]>,
    neighbours: Neighbours,
    in_flight: AtomicUsize,
    numbers: AtomicU64,
    ids: Ids,
    pub(super) hasher: RandomState,
}

impl Index {
    /// An empty index.
    pub fn new(settings: Settings) -> Self {
        let shards = (settings.capacity / MIN_SHARD).clamp(1, MAX_SHARDS);
        let hasher = RandomState::default();
        Self {
            settings,
            shards: (0..shards).map(|_| Mutex::new(Shard::new(hasher.clone()))).collect(),
            neighbours: Neighbours::new(shards),
            in_flight: AtomicUsize::new(0),
            numbers: AtomicU64::new(1),
            ids: Ids::default(),
            hasher,
        }
    }

    /// How many entries are in flight, those included whose lapse nobody has acted on yet.
    pub fn len(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Judges a proposal, and holds it if it is new. `logical_keys` is called only for one that looks new, without a
    /// lock held.
    pub fn propose<I: IntoIterator<Item: AsRef<str>>>(
        &self,
        candidate: Candidate<'_>,
        logical_keys: impl FnOnce() -> I,
        now: i64,
    ) -> Result<Decision, IndexError> {
        let hashed = candidate.key(candidate.content_hash).hashed(&self.hasher);
        let selector = hashed.key.selector();
        if let Some(decision) = self.collapse_former(candidate, now) {
            return Ok(decision);
        }
        if let Some(decision) = self.collapse(&mut self.lock(selector), hashed, |_| true, now) {
            return Ok(decision);
        }
        let full = IndexError::Full { capacity: self.settings.capacity };
        let texts = Texts::new(logical_keys(), candidate.display_id).ok_or(full)?;
        self.reserve(now)?;
        let mut shard = self.lock(selector);
        // Another thread may have proposed the same meanwhile.
        if let Some(decision) = self.collapse(&mut shard, hashed, |_| true, now) {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
            return Ok(decision);
        }
        let number = self.next_number();
        let proposed = Proposed {
            content_hash: *candidate.content_hash,
            id: self.ids.id(number, shard.next_slot(), selector),
            first_seen: now,
            number,
            realm: shard.realm(hashed),
            cmd_hash: candidate.cmd_hash,
            canon_version: CANON_VERSION,
            texts,
        };
        let stored = Entry {
            proposed,
            state: LifecycleState::Pending,
            attempt: 0,
            version: 1,
            seen_count: 1,
            last_seen: now,
            lease_until: self.settings.lease.map(|lease| now.saturating_add(lease)),
            ended: 0,
        };
        let (_, near) = self.hold(&mut shard, hashed, stored.clone())?;
        drop(shard);
        let (cluster, related) = self.neighbours_of(&stored, &near, now);
        Ok(Decision { reason: Reason::New, stored, cluster, related })
    }

    /// Moves an entry to another state. `org` limits which entries can be seen, `attempt` fences a worker off whose
    /// execution is over.
    pub fn transition(
        &self,
        id: Id,
        org: Option<&str>,
        to: LifecycleState,
        attempt: Option<u32>,
        now: i64,
    ) -> Result<Entry, IndexError> {
        let mut shard = self.lock(id.selector());
        let slot = self.find(&shard, id).ok_or(IndexError::Unknown)?;
        self.settle(&mut shard, slot, now);
        let entry =
            shard.get(slot).filter(|entry| visible(entry, org)).ok_or(IndexError::Unknown)?;
        let from = entry.state;
        if let Some(attempt) = attempt.filter(|attempt| *attempt != entry.attempt) {
            return Err(IndexError::Stale { attempt, current: entry.attempt, from, to });
        }
        if !from.may_become(to) {
            return Err(IndexError::Illegal { from, to });
        }
        self.change(&mut shard, slot, to, now).ok_or(IndexError::Unknown)
    }

    /// The entry with this id, while it is in flight or remembered.
    pub fn get(&self, id: Id, org: Option<&str>, now: i64) -> Option<Entry> {
        let shard = self.lock(id.selector());
        let entry = shard.get(self.find(&shard, id)?)?;
        visible(entry, org).then(|| entry.seen_at(now))
    }

    /// The entries in flight, oldest first. Shards are read one after another, so it is no single moment's picture.
    pub fn in_flight(&self, org: Option<&str>, now: i64) -> Vec<Entry> {
        let mut found: Vec<Entry> = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let seen =
                shard.entries().filter(|entry| visible(entry, org)).map(|entry| entry.seen_at(now));
            found.extend(seen.filter(|entry| entry.state.in_flight()));
        }
        found.sort_unstable_by_key(|entry| (entry.first_seen, entry.number));
        found
    }

    /// Lets lapsed leases lapse, and says whose: pending entries expire, executing ones are interrupted.
    pub fn expire(&self, now: i64) -> Vec<Entry> {
        let mut lapsed = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            while let Some(entry) =
                shard.first_lapsed(now).and_then(|slot| self.settle(&mut shard, slot, now))
            {
                lapsed.push(entry);
            }
        }
        lapsed.sort_unstable_by_key(|entry| (entry.first_seen, entry.number));
        lapsed
    }

    /// Holds an entry that is in flight and already counted, and says where it is and what may be near it.
    pub(super) fn hold(
        &self,
        shard: &mut Shard,
        hashed: Hashed<'_>,
        entry: Entry,
    ) -> Result<(u32, BTreeSet<Place>), IndexError> {
        let full = IndexError::Full { capacity: self.settings.capacity };
        let slot = shard.insert(entry).ok_or(full)?;
        shard.point(hashed, slot);
        let near =
            shard.get(slot).map(|entry| self.neighbours.join(entry, entry.place(slot), SHOWN));
        Ok((slot, near.unwrap_or_default()))
    }

    fn find(&self, shard: &Shard, id: Id) -> Option<u32> {
        shard.find_id(id, self.ids.slot(id))
    }

    pub(super) fn lock(&self, selector: u8) -> MutexGuard<'_, Shard> {
        self.shards[usize::from(selector) % self.shards.len()].lock()
    }

    pub(super) fn remembered(&self) -> usize {
        let all = if self.settings.cooldown.is_some() {
            self.settings.capacity
        } else {
            REMEMBERED.min(self.settings.capacity)
        };
        all.div_ceil(self.shards.len())
    }

    pub(super) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts one more in flight, if there is room.
    pub(super) fn reserve(&self, now: i64) -> Result<(), IndexError> {
        let capacity = self.settings.capacity;
        let take = || {
            let one_more = |count| (count < capacity).then_some(count + 1);
            self.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
        };
        if take() {
            return Ok(());
        }
        self.expire(now);
        if take() { Ok(()) } else { Err(IndexError::Full { capacity }) }
    }

    /// The decision where the proposal has a former identity too, and is a duplicate under either: of what is in flight
    /// before what cools down.
    fn collapse_former(&self, candidate: Candidate<'_>, now: i64) -> Option<Decision> {
        let hashes = [candidate.content_hash, candidate.former_hash?];
        [Reason::InFlight, Reason::Cooldown].into_iter().find_map(|wanted| {
            hashes.into_iter().map(|hash| candidate.key(hash)).find_map(|key| {
                let mut shard = self.lock(key.selector());
                self.collapse(&mut shard, key.hashed(&self.hasher), |reason| reason == wanted, now)
            })
        })
    }

    /// The decision where the proposal is a duplicate for a reason that counts.
    fn collapse(
        &self,
        shard: &mut Shard,
        hashed: Hashed<'_>,
        counts: impl Fn(Reason) -> bool,
        now: i64,
    ) -> Option<Decision> {
        let slot = shard.find(hashed)?;
        self.settle(shard, slot, now);
        let entry = shard.get(slot)?;
        let reason = if entry.state.in_flight() {
            Reason::InFlight
        } else {
            let cooldown = self.settings.cooldown.filter(|_| entry.state.cools_down())?;
            (now < entry.ended.saturating_add(cooldown)).then_some(Reason::Cooldown)?
        };
        if !counts(reason) {
            return None;
        }
        let stored = shard.change(slot, |entry| {
            entry.seen_count += 1;
            entry.last_seen = now;
        })?;
        Some(Decision { reason, stored: stored.clone(), cluster: Vec::new(), related: Vec::new() })
    }

    /// Lets the entry's lease lapse if it is time.
    fn settle(&self, shard: &mut Shard, slot: u32, now: i64) -> Option<Entry> {
        let state = shard.get(slot).filter(|entry| entry.lapsed(now))?.state;
        self.change(shard, slot, state.lapsed(), now)
    }

    /// Moves an entry to a state that may follow its own, and keeps every table true.
    fn change(&self, shard: &mut Shard, slot: u32, to: LifecycleState, now: i64) -> Option<Entry> {
        let lease = self.settings.lease.filter(|_| to == LifecycleState::Executing);
        let changed = shard.change(slot, |entry| {
            entry.state = to;
            entry.version += 1;
            entry.attempt += u32::from(to == LifecycleState::Executing);
            entry.lease_until = lease.map(|lease| now.saturating_add(lease));
            entry.ended = if to.in_flight() { 0 } else { now };
        });
        let changed = changed?.clone();
        if !to.in_flight() {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
            self.neighbours.remove(&changed, changed.place(slot));
            if !(to.cools_down() && self.settings.cooldown.is_some()) {
                shard.unpoint(slot);
            }
            shard.remember(slot, self.remembered());
        }
        Some(changed)
    }

    fn neighbours_of(
        &self,
        own: &Entry,
        places: &BTreeSet<Place>,
        now: i64,
    ) -> (Vec<Entry>, Vec<Entry>) {
        let mut cluster = Vec::new();
        let mut related = Vec::new();
        for place in places {
            let shard = self.lock(place.selector);
            let Some(entry) = shard.get(place.slot).filter(|entry| entry.number == place.number)
            else {
                continue;
            };
            let entry = entry.seen_at(now);
            if !entry.state.in_flight() || entry.org() != own.org() {
                continue;
            }
            if entry.key_bytes().any(|key| own.key_bytes().any(|other| other == key)) {
                cluster.push(entry);
            } else if entry
                .key_bytes()
                .map(target_of)
                .any(|t| own.key_bytes().map(target_of).any(|o| o == t))
            {
                related.push(entry);
            }
        }
        (cluster, related)
    }
}

fn visible(entry: &Entry, org: Option<&str>) -> bool {
    org.is_none_or(|org| entry.org() == Some(org))
}
