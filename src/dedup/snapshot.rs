//! An index as bytes, and back: JSON, one object an entry, ended ones first.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Proposed, Texts};
use super::identity::hex;
use super::index::{Index, Settings};
use super::shard::Key;
use super::{Id, IndexError, LifecycleState};

const FORMAT: u32 = 1;

/// No index lives to count as far, and what is restored must be able to count on.
const MOST_CHANGES: u32 = 1 << 31;
const MOST_SEEN: u64 = 1 << 62;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Snapshot {
    format: u32,
    entries: Vec<Record>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    id: String,
    org: Option<String>,
    kind: String,
    content_hash: String,
    cmd_hash: String,
    logical_keys: Vec<String>,
    display_id: Option<String>,
    state: LifecycleState,
    attempt: u32,
    version: u32,
    seen_count: u64,
    first_seen: i64,
    last_seen: i64,
    lease_until: Option<i64>,
    ended: i64,
    canon_version: i16,
}

impl Index {
    /// The entries in flight and the remembered ones. Each is as it was at one moment; not all at the same one.
    pub fn snapshot(&self) -> Result<Vec<u8>, IndexError> {
        let mut ended: Vec<Entry> = Vec::new();
        let mut in_flight: Vec<Entry> = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            ended.extend(shard.ended().cloned());
            in_flight.extend(shard.entries().filter(|entry| entry.state.in_flight()).cloned());
        }
        // Their order decides which of two is forgotten first, and which is shown first.
        ended.sort_by_key(|entry| entry.ended);
        in_flight.sort_unstable_by_key(|entry| entry.number);
        let entries = ended.iter().chain(&in_flight).map(Record::from).collect();
        serde_json::to_vec(&Snapshot { format: FORMAT, entries }).map_err(not_a_snapshot)
    }

    /// An index with the entries of a snapshot.
    pub fn restored(settings: Settings, snapshot: &[u8]) -> Result<Self, IndexError> {
        let snapshot: Snapshot = serde_json::from_slice(snapshot).map_err(not_a_snapshot)?;
        if snapshot.format != FORMAT {
            return Err(not_a_snapshot(format!(
                "its format is {}, and {FORMAT} is known",
                snapshot.format
            )));
        }
        let index = Self::new(settings);
        let mut ids = HashSet::new();
        for record in snapshot.entries {
            let id = Id::from_bits(u128::from_str_radix(&record.id, 16).map_err(not_a_snapshot)?);
            if !ids.insert(id) {
                return Err(not_a_snapshot("two entries have one id"));
            }
            index.put_back(id, &record)?;
        }
        Ok(index)
    }

    fn put_back(&self, id: Id, record: &Record) -> Result<(), IndexError> {
        if record.state.in_flight() {
            // Nothing lapses while an index is restored, so a full one is full.
            self.reserve(i64::MIN)?;
        }
        let content_hash = bytes(&record.content_hash)?;
        let (org, kind) = (record.org.as_deref(), record.kind.as_str());
        let hashed = Key { org, kind, content_hash: &content_hash }.hashed(&self.hasher);
        if hashed.key.selector() != id.selector() {
            return Err(not_a_snapshot("an id does not belong to its content"));
        }
        if record.attempt.max(record.version) >= MOST_CHANGES || record.seen_count >= MOST_SEEN {
            return Err(not_a_snapshot("a count is larger than any that an index reaches"));
        }
        let mut shard = self.lock(id.selector());
        if record.logical_keys.iter().any(|key| key.contains('\0')) {
            return Err(not_a_snapshot("a logical key has a NUL"));
        }
        let texts = Texts::new(&record.logical_keys, record.display_id.as_deref());
        let proposed = Proposed {
            content_hash,
            id,
            first_seen: record.first_seen,
            number: self.next_number(),
            realm: shard.realm(hashed),
            cmd_hash: bytes(&record.cmd_hash)?,
            canon_version: record.canon_version,
            texts: texts.ok_or_else(|| not_a_snapshot("its texts are too long"))?,
        };
        let entry = Entry {
            proposed,
            state: record.state,
            attempt: record.attempt,
            version: record.version,
            seen_count: record.seen_count,
            last_seen: record.last_seen,
            lease_until: record.lease_until.filter(|_| record.state.lapsed() != record.state),
            ended: record.ended,
        };
        let held = shard
            .find(hashed)
            .and_then(|slot| shard.get(slot))
            .is_some_and(|held| held.state.in_flight());
        if held {
            return Err(not_a_snapshot(
                "two entries in flight are equal, or one precedes an ended one",
            ));
        }
        if record.state.in_flight() {
            let (slot, _) = self.hold(&mut shard, hashed, entry)?;
            shard.note_restored(id, slot);
            return Ok(());
        }
        let capacity = self.settings.capacity;
        let slot = shard.insert(entry).ok_or(IndexError::Full { capacity })?;
        shard.note_restored(id, slot);
        if record.state.cools_down() && self.settings.cooldown.is_some() {
            shard.point(hashed, slot);
        }
        shard.remember(slot, self.remembered());
        Ok(())
    }
}

impl From<&Entry> for Record {
    fn from(entry: &Entry) -> Self {
        Self {
            id: format!("{:032x}", entry.id.bits()),
            org: entry.org().map(Into::into),
            kind: entry.kind().into(),
            content_hash: hex(&entry.content_hash),
            cmd_hash: hex(&entry.cmd_hash),
            logical_keys: entry.logical_keys().map(Into::into).collect(),
            display_id: entry.display_id().map(Into::into),
            state: entry.state,
            attempt: entry.attempt,
            version: entry.version,
            seen_count: entry.seen_count,
            first_seen: entry.first_seen,
            last_seen: entry.last_seen,
            lease_until: entry.lease_until,
            ended: entry.ended,
            canon_version: entry.canon_version,
        }
    }
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], IndexError> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(not_a_snapshot(format!("a digest is {} hexadecimal digits", 2 * N)));
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digits = std::str::from_utf8(pair).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).map_err(not_a_snapshot)?;
    }
    Ok(bytes)
}

#[allow(clippy::needless_pass_by_value)] // so that map_err takes it as it is
fn not_a_snapshot(why: impl ToString) -> IndexError {
    IndexError::Snapshot(why.to_string())
}
