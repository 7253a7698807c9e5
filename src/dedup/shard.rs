//! A part of the index: the entries whose identity selects it, under one lock.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashTable;

use super::Entry;
use super::entry::Id;

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
        Key { org: self.org.as_deref(), kind: &self.kind, content_hash: &self.content_hash }
    }
}

#[derive(Default)]
pub(super) struct Shard {
    slots: Vec<Option<Box<Entry>>>,
    free: Vec<u32>,
    // The entry in flight of each key, or the last ended one that cools down.
    by_key: HashTable<u32>,
    by_id: HashTable<u32>,
    leases: BTreeSet<(i64, u32)>,
    ended: VecDeque<u32>,
    // Orgs and kinds recur in every entry.
    names: HashSet<Arc<str>>,
    purge_names_at: usize,
    hasher: RandomState,
}

impl Shard {
    pub(super) fn name(&mut self, text: &str) -> Arc<str> {
        if let Some(name) = self.names.get(text) {
            return Arc::clone(name);
        }
        if self.names.len() >= self.purge_names_at {
            self.names.retain(|name| Arc::strong_count(name) > 1);
            self.purge_names_at = 64.max(2 * self.names.len());
        }
        let name: Arc<str> = text.into();
        self.names.insert(Arc::clone(&name));
        name
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
        self.slots.get(slot as usize)?.as_deref()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.slots.iter().flatten().map(|entry| &**entry)
    }

    /// Holds a new entry under its id; [`Shard::point`] puts it under its key.
    pub(super) fn insert(&mut self, entry: Entry) -> Option<u32> {
        let slot = if let Some(slot) = self.free.pop() {
            slot
        } else {
            let slot = u32::try_from(self.slots.len()).ok()?;
            self.slots.push(None);
            slot
        };
        let hash = self.hasher.hash_one(entry.id);
        if let Some(until) = entry.lease_until {
            self.leases.insert((until, slot));
        }
        self.slots[slot as usize] = Some(Box::new(entry));
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.by_id.insert_unique(hash, slot, |&at| {
            slots[at as usize].as_ref().map_or(0, |e| hasher.hash_one(e.id))
        });
        Some(slot)
    }

    /// Makes the entry the one that its key finds.
    pub(super) fn point(&mut self, slot: u32) {
        let Some(entry) = self.slots[slot as usize].as_deref() else { return };
        let (slots, hasher, key) = (&self.slots, &self.hasher, entry.key());
        let key_of = |at: u32| slots[at as usize].as_deref().map(Entry::key);
        let found = self.by_key.entry(
            hasher.hash_one(key),
            |&at| key_of(at) == Some(key),
            |&at| key_of(at).map_or(0, |key| hasher.hash_one(key)),
        );
        found.insert(slot);
    }

    /// Lets the key of the entry find nothing, if it finds this entry.
    pub(super) fn unpoint(&mut self, slot: u32) {
        let Some(entry) = self.slots[slot as usize].as_deref() else { return };
        if let Ok(found) =
            self.by_key.find_entry(self.hasher.hash_one(entry.key()), |&at| at == slot)
        {
            found.remove();
        }
    }

    /// Changes an entry, and keeps its lease in order.
    pub(super) fn change(&mut self, slot: u32, change: impl FnOnce(&mut Entry)) -> Option<&Entry> {
        let entry = self.slots.get_mut(slot as usize)?.as_deref_mut()?;
        let before = entry.lease_until;
        change(entry);
        if before != entry.lease_until {
            self.leases.extend(entry.lease_until.map(|until| (until, slot)));
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
        let Some(entry) = self.slots[slot as usize].take() else { return };
        if let Ok(found) = self.by_id.find_entry(self.hasher.hash_one(entry.id), |&at| at == slot) {
            found.remove();
        }
        self.free.push(slot);
    }

    fn has(&self, slot: u32, test: impl FnOnce(&Entry) -> bool) -> bool {
        self.get(slot).is_some_and(test)
    }
}
