//! Which entries in flight act on what: the index of logical keys and of targets.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hash};
use std::ops::Bound;

use foldhash::quality::RandomState;
use parking_lot::Mutex;

use super::entry::{Proposed, target_of};
use super::slab::Slab;
use super::slots::Slots;

/// Where an entry is. The number tells it from a later one in the same slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) slot: u32,
    pub(super) selector: u8,
}

impl Proposed {
    /// Where it is, in this slot.
    pub(super) fn place(&self, slot: u32) -> Place {
        Place { number: self.number, slot, selector: self.id.selector() }
    }
}

/// Entries of one (org, target), by verb and then by age.
enum Members {
    // Nearly every target has one, and a tree for it would cost ten times the memory.
    One(u32, Place),
    #[allow(clippy::box_collection)] // the box keeps `One`, of which there are millions, small
    Many(Box<BTreeSet<(u32, Place)>>),
}

/// Maps (org, target) to the entries in flight, under the digests of both and of the verb. A digest may collide, so
/// what is found is a candidate: the reader compares the texts, which the entry has.
pub(super) struct Neighbours {
    shards: Box<[Mutex<Targets>]>,
    digests: RandomState,
}

/// The members of each target, and where they are under its digest.
#[derive(Default)]
struct Targets {
    members: Slab<(u64, Members)>,
    by_digest: Slots,
}

impl Neighbours {
    pub(super) fn new(shards: usize) -> Self {
        let shards = (0..shards).map(|_| Mutex::default()).collect();
        Self { shards, digests: RandomState::default() }
    }

    pub(super) fn remove(&self, entry: &Proposed, place: Place) {
        for key in entry.key_bytes() {
            let (target, verb) = self.digests_of(entry.org(), key);
            self.shard(target).lock().remove(target, verb, place);
        }
    }

    /// Adds an entry, and returns the oldest ones with the same verb and target as one of its logical keys, and those with
    /// another verb: at most `at_most` of each for a key.
    pub(super) fn join(&self, entry: &Proposed, place: Place, at_most: usize) -> BTreeSet<Place> {
        let mut found = BTreeSet::new();
        for key in entry.key_bytes() {
            let (target, verb) = self.digests_of(entry.org(), key);
            let mut targets = self.shard(target).lock();
            match targets.members_of(target) {
                None => targets.add(target, Members::One(verb, place)),
                Some(members) => {
                    members.near(verb, place.number, at_most, &mut found);
                    members.insert(verb, place);
                }
            }
        }
        found
    }

    fn shard(&self, target: u64) -> &Mutex<Targets> {
        // The table inside uses the upper bits.
        #[allow(clippy::cast_possible_truncation)]
        &self.shards[target as usize % self.shards.len()]
    }

    fn digests_of(&self, org: Option<&str>, key: &[u8]) -> (u64, u32) {
        let target = target_of(key);
        let verb = &key[..key.len() - target.len()];
        #[allow(clippy::cast_possible_truncation)]
        (self.digest((org, target)), self.digest(verb) as u32)
    }

    fn digest(&self, value: impl Hash) -> u64 {
        self.digests.hash_one(value)
    }
}

impl Targets {
    fn slot_of(&self, target: u64) -> Option<u32> {
        let is_it = |slot| self.members.get(slot).is_some_and(|(digest, _)| *digest == target);
        self.by_digest.find(target, is_it)
    }

    fn members_of(&mut self, target: u64) -> Option<&mut Members> {
        let slot = self.slot_of(target)?;
        self.members.get_mut(slot).map(|(_, members)| members)
    }

    fn add(&mut self, target: u64, members: Members) {
        if let Some(slot) = self.members.insert((target, members)) {
            self.by_digest.insert(target, slot);
        }
    }

    fn remove(&mut self, target: u64, verb: u32, place: Place) {
        let Some(slot) = self.slot_of(target) else { return };
        if self.members.get_mut(slot).is_some_and(|(_, members)| members.remove(verb, place)) {
            self.by_digest.remove(target, slot);
            self.members.take(slot);
        }
    }
}

const LAST: Place = Place { number: u64::MAX, slot: u32::MAX, selector: u8::MAX };

impl Members {
    fn near(&self, verb: u32, own: u64, at_most: usize, found: &mut BTreeSet<Place>) {
        let members = match self {
            Self::One(_, place) => {
                found.extend((place.number != own).then_some(*place));
                return;
            }
            Self::Many(members) => members,
        };
        let first = |verb| (verb, Place { number: 0, slot: 0, selector: 0 });
        let above = verb
            .checked_add(1)
            .map_or(Bound::Excluded((u32::MAX, LAST)), |v| Bound::Included(first(v)));
        let same = members.range((Bound::Included(first(verb)), Bound::Included((verb, LAST))));
        let others = members.range(..first(verb)).chain(members.range((above, Bound::Unbounded)));
        for half in [
            &mut same.map(|(_, place)| place) as &mut dyn Iterator<Item = &Place>,
            &mut others.map(|(_, place)| place),
        ] {
            found.extend(half.filter(|place| place.number != own).take(at_most));
        }
    }

    fn insert(&mut self, verb: u32, place: Place) {
        match self {
            Self::One(first, at) => {
                *self = Self::Many(Box::new(BTreeSet::from([(*first, *at), (verb, place)])));
            }
            Self::Many(members) => {
                members.insert((verb, place));
            }
        }
    }

    /// Removes the entry, and says whether none is left.
    fn remove(&mut self, verb: u32, place: Place) -> bool {
        match self {
            Self::One(first, at) => *first == verb && *at == place,
            Self::Many(members) => {
                members.remove(&(verb, place));
                members.is_empty()
            }
        }
    }
}
