//! A part of the index: the entries whose identity selects it, under one lock.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashTable;

use super::entry::Realm;
use super::leases::Leases;
use super::slab::Slab;
use super::slots::Slots;
use super::{Entry, Id};

/// What makes two proposals the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key<'a> {
    pub(super) org: Option<&'a str>,
    pub(super) kind: &'a str,
    pub(super) content_hash: &'a [u8; 32],
}

/// A key with its hash and that of its realm, which are wanted more than once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hashed<'a> {
    pub(super) key: Key<'a>,
    hash: u64,
    realm: u64,
}

impl<'a> Key<'a> {
    /// With its hash under secret keys, so that nobody can choose contents that collide.
    pub(super) fn hashed(self, hasher: &RandomState) -> Hashed<'a> {
        let realm = hasher.hash_one((self.org, self.kind));
        Hashed { key: self, hash: hasher.hash_one((self.content_hash, realm)), realm }
    }

    /// One byte that every index derives alike, so that the ids of a restored one still lead to their shard (FNV-1a).
    pub(super) fn selector(&self) -> u8 {
        let names = self.org.unwrap_or_default().bytes().chain([0]).chain(self.kind.bytes());
        let mixed = names
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        mixed.to_le_bytes().into_iter().fold(self.content_hash[0], |byte, next| byte ^ next)
    }
}

impl Entry {
    pub(super) fn key(&self) -> Key<'_> {
        Key { org: self.org(), kind: self.kind(), content_hash: &self.content_hash }
    }
}

/// An entry in three neighbouring lines of the cache, so that a look at one of a million waits for memory once.
#[repr(align(64))]
struct Lines(Entry);

/// The entries of some keys.
pub(super) struct Shard {
    slab: Slab<Lines>,
    // The entry in flight of each key, or the last ended one that cools down.
    by_key: Slots,
    // Those whose id another index gave: its own ids lead to the slot.
    restored: HashMap<Id, u32, RandomState>,
    leases: Leases,
    ended: VecDeque<u32>,
    realms: HashTable<Arc<Realm>>,
    purge_realms_at: usize,
    hasher: RandomState,
}

impl Shard {
    /// An empty one, whose index hashes keys so.
    pub(super) fn new(hasher: RandomState) -> Self {
        Self {
            slab: Slab::default(),
            by_key: Slots::default(),
            restored: HashMap::with_hasher(hasher.clone()),
            leases: Leases::default(),
            ended: VecDeque::new(),
            realms: HashTable::new(),
            purge_realms_at: 0,
            hasher,
        }
    }

    pub(super) fn realm(&mut self, of: Hashed<'_>) -> Arc<Realm> {
        let Key { org, kind, .. } = of.key;
        let same = |realm: &Arc<Realm>| realm.org.as_deref() == org && *realm.kind == *kind;
        if let Some(realm) = self.realms.find(of.realm, same) {
            return Arc::clone(realm);
        }
        if self.realms.len() >= self.purge_realms_at {
            self.realms.retain(|realm| Arc::strong_count(realm) > 1);
            self.purge_realms_at = 64.max(2 * self.realms.len());
        }
        let realm = Arc::new(Realm { org: org.map(Into::into), kind: kind.into() });
        let hasher = &self.hasher;
        self.realms.insert_unique(of.realm, Arc::clone(&realm), |realm| {
            hasher.hash_one((realm.org.as_deref(), &*realm.kind))
        });
        realm
    }

    pub(super) fn find(&self, hashed: Hashed<'_>) -> Option<u32> {
        self.by_key.find(hashed.hash, |slot| self.has(slot, |entry| entry.key() == hashed.key))
    }

    /// The slot of the entry with this id, which is `slot` if this index gave the id.
    pub(super) fn find_id(&self, id: Id, slot: u32) -> Option<u32> {
        if self.has(slot, |entry| entry.id == id) {
            return Some(slot);
        }
        self.restored.get(&id).copied()
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Entry> {
        self.slab.get(slot).map(|lines| &lines.0)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.slab.iter().map(|lines| &lines.0)
    }

    /// The slot that the next entry goes to.
    pub(super) fn next_slot(&self) -> u32 {
        self.slab.next()
    }

    /// Holds a new entry; [`Shard::point`] puts it under its key. None if there is no slot left.
    pub(super) fn insert(&mut self, entry: Entry) -> Option<u32> {
        let lease = entry.lease_until;
        let slot = self.slab.insert(Lines(entry))?;
        let runs = lease_runs(&self.slab);
        self.leases.change(slot, None, lease, runs);
        Some(slot)
    }

    /// Notes that the id of an entry is from another index.
    pub(super) fn note_restored(&mut self, id: Id, slot: u32) {
        self.restored.insert(id, slot);
    }

    /// Makes the entry in this slot the one that its key finds.
    pub(super) fn point(&mut self, hashed: Hashed<'_>, slot: u32) {
        if let Some(before) = self.find(hashed) {
            self.by_key.remove(hashed.hash, before);
        }
        self.by_key.insert(hashed.hash, slot);
    }

    /// Lets the key of the entry find nothing, if it finds this entry.
    pub(super) fn unpoint(&mut self, slot: u32) {
        let Some(key) = self.get(slot).map(Entry::key) else { return };
        let hash = key.hashed(&self.hasher).hash;
        self.by_key.remove(hash, slot);
    }

    /// Changes an entry, and keeps its lease in order.
    pub(super) fn change(&mut self, slot: u32, change: impl FnOnce(&mut Entry)) -> Option<&Entry> {
        let entry = &mut self.slab.get_mut(slot)?.0;
        let before = entry.lease_until;
        change(entry);
        let after = entry.lease_until;
        self.leases.change(slot, before, after, lease_runs(&self.slab));
        self.get(slot)
    }

    /// The slot whose lease lapsed first, if one has.
    pub(super) fn first_lapsed(&mut self, now: i64) -> Option<u32> {
        self.leases.first_lapsed(now, lease_runs(&self.slab))
    }

    /// Remembers that the entry ended, and forgets the earliest ended ones beyond `remembered`.
    pub(super) fn remember(&mut self, slot: u32, remembered: usize) {
        self.ended.push_back(slot);
        while self.ended.len() > remembered {
            let Some(oldest) = self.ended.pop_front() else { return };
            self.unpoint(oldest);
            self.forget(oldest);
        }
    }

    /// The ended entries, earliest first.
    pub(super) fn ended(&self) -> impl Iterator<Item = &Entry> {
        self.ended.iter().filter_map(|slot| self.get(*slot))
    }

    fn forget(&mut self, slot: u32) {
        let Some(Lines(entry)) = self.slab.take(slot) else { return };
        self.restored.remove(&entry.id);
    }

    fn has(&self, slot: u32, test: impl FnOnce(&Entry) -> bool) -> bool {
        self.get(slot).is_some_and(test)
    }
}

/// Whether a slot has a lease until then.
fn lease_runs(slab: &Slab<Lines>) -> impl Fn(i64, u32) -> bool {
    |until, slot| slab.get(slot).is_some_and(|lines| lines.0.lease_until == Some(until))
}

#[cfg(test)]
mod tests {
    use crate::dedup::{Candidate, Index, LifecycleState, Settings};

    /// No table keeps anything of an entry that was forgotten, whichever index gave it its id.
    #[test]
    fn tables_forget_what_the_shard_forgets() {
        let settings = Settings { lease: Some(9), cooldown: Some(9), capacity: 4 };
        let mut index = Index::new(settings);
        for content in 0..100_u8 {
            let candidate = Candidate {
                org: None,
                kind: "shell",
                content_hash: &[content; 32],
                former_hash: None,
                cmd_hash: [0; 6],
                display_id: None,
            };
            let proposed = index.propose(candidate, Vec::<String>::new, 0);
            if content % 10 == 0 {
                let restored = index.snapshot().and_then(|bytes| Index::restored(settings, &bytes));
                index = restored.unwrap_or_else(|error| panic!("{error}"));
            }
            let id = proposed.map(|decision| decision.stored.id);
            assert!(id.is_ok_and(|id| {
                index.transition(id, None, LifecycleState::Cancelled, None, 0).is_ok()
            }));
        }
        let shard = index.lock(0);
        let sizes =
            [shard.by_key.len(), shard.ended.len(), shard.leases.len(), shard.restored.len()];
        assert_eq!((sizes, shard.entries().count()), ([4, 4, 0, 0], 4));
    }
}
