//! A part of the index: the entries whose identity selects it, under one lock.

use std::collections::{BTreeSet, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashTable;

use super::Entry;
use super::entry::{Id, Realm};
use super::slab::Slab;

/// What makes two proposals the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key<'a> {
    pub(super) org: Option<&'a str>,
    pub(super) kind: &'a str,
    pub(super) content_hash: &'a [u8; 32],
}

impl Key<'_> {
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

#[derive(Default)]
pub(super) struct Shard {
    slab: Slab,
    // The entry in flight of each key, or the last ended one that cools down.
    by_key: HashTable<u32>,
    by_id: HashTable<u32>,
    leases: BTreeSet<(i64, u32)>,
    ended: VecDeque<u32>,
    realms: HashTable<Arc<Realm>>,
    purge_realms_at: usize,
    hasher: RandomState,
}

impl Shard {
    pub(super) fn realm(&mut self, org: Option<&str>, kind: &str) -> Arc<Realm> {
        let hash = self.hasher.hash_one((org, kind));
        let same = |realm: &Arc<Realm>| realm.org.as_deref() == org && *realm.kind == *kind;
        if let Some(realm) = self.realms.find(hash, same) {
            return Arc::clone(realm);
        }
        if self.realms.len() >= self.purge_realms_at {
            self.realms.retain(|realm| Arc::strong_count(realm) > 1);
            self.purge_realms_at = 64.max(2 * self.realms.len());
        }
        let realm = Arc::new(Realm { org: org.map(Into::into), kind: kind.into() });
        let hasher = &self.hasher;
        self.realms.insert_unique(hash, Arc::clone(&realm), |realm| {
            hasher.hash_one((realm.org.as_deref(), &*realm.kind))
        });
        realm
    }

    pub(super) fn find(&self, key: Key<'_>) -> Option<u32> {
        self.by_key
            .find(self.hasher.hash_one(key), |&slot| self.has(slot, |entry| entry.key() == key))
            .copied()
    }

    pub(super) fn find_id(&self, id: Id) -> Option<u32> {
        self.by_id
            .find(self.hasher.hash_one(id), |&slot| self.has(slot, |entry| entry.id == id))
            .copied()
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Entry> {
        self.slab.get(slot)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.slab.iter()
    }

    /// Holds a new entry under its id; [`Shard::point`] puts it under its key. None if there is no slot left.
    pub(super) fn insert(&mut self, entry: Entry) -> Option<u32> {
        let (hash, lease) = (self.hasher.hash_one(entry.id), entry.lease_until);
        let slot = self.slab.insert(entry)?;
        self.leases.extend(lease.map(|until| (until, slot)));
        let (slab, hasher) = (&self.slab, &self.hasher);
        self.by_id.insert_unique(hash, slot, |&at| {
            slab.get(at).map_or(0, |entry| hasher.hash_one(entry.id))
        });
        Some(slot)
    }

    /// Makes the entry the one that its key finds.
    pub(super) fn point(&mut self, slot: u32) {
        let (slab, hasher) = (&self.slab, &self.hasher);
        let key_of = |at: u32| slab.get(at).map(Entry::key);
        let Some(key) = key_of(slot) else { return };
        let found = self.by_key.entry(
            hasher.hash_one(key),
            |&at| key_of(at) == Some(key),
            |&at| key_of(at).map_or(0, |key| hasher.hash_one(key)),
        );
        found.insert(slot);
    }

    /// Lets the key of the entry find nothing, if it finds this entry.
    pub(super) fn unpoint(&mut self, slot: u32) {
        let Some(entry) = self.slab.get(slot) else { return };
        let hash = self.hasher.hash_one(entry.key());
        if let Ok(found) = self.by_key.find_entry(hash, |&at| at == slot) {
            found.remove();
        }
    }

    /// Changes an entry, and keeps its lease in order.
    pub(super) fn change(&mut self, slot: u32, change: impl FnOnce(&mut Entry)) -> Option<&Entry> {
        let entry = self.slab.get_mut(slot)?;
        let before = entry.lease_until;
        change(entry);
        let after = entry.lease_until;
        if before != after {
            self.leases.extend(after.map(|until| (until, slot)));
            if let Some(until) = before {
                self.leases.remove(&(until, slot));
            }
        }
        self.get(slot)
    }

    /// The slot whose lease lapsed first, if one has.
    pub(super) fn first_lapsed(&self, now: i64) -> Option<u32> {
        self.leases.first().filter(|(until, _)| *until <= now).map(|(_, slot)| *slot)
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
        let Some(entry) = self.slab.take(slot) else { return };
        if let Ok(found) = self.by_id.find_entry(self.hasher.hash_one(entry.id), |&at| at == slot) {
            found.remove();
        }
    }

    fn has(&self, slot: u32, test: impl FnOnce(&Entry) -> bool) -> bool {
        self.get(slot).is_some_and(test)
    }
}

#[cfg(test)]
mod tests {
    use crate::dedup::{Candidate, Index, LifecycleState, Settings};

    /// No table keeps anything of an entry that was forgotten.
    #[test]
    fn tables_forget_what_the_shard_forgets() {
        let index = Index::new(Settings { lease: Some(9), cooldown: Some(9), capacity: 4 });
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
            let id = proposed.map(|decision| decision.stored.id);
            assert!(id.is_ok_and(|id| {
                index.transition(id, None, LifecycleState::Cancelled, None, 0).is_ok()
            }));
        }
        let shard = index.lock(0);
        let sizes = [shard.by_key.len(), shard.by_id.len(), shard.ended.len(), shard.leases.len()];
        assert_eq!((sizes, shard.entries().count()), ([4, 4, 4, 0], 4));
    }
}
