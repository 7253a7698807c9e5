//! One proposal as the index holds it.

use std::ops::Deref;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{Id, LifecycleState};

/// Whose proposals are of which kind; shared by all of them.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Realm {
    pub(super) org: Option<Box<str>>,
    pub(super) kind: Box<str>,
}

/// What never changes about an entry. Times are integer nanoseconds of the clock of whoever calls the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// Its identity.
    pub content_hash: [u8; 32],
    /// Its key.
    pub id: Id,
    /// When it was first proposed.
    pub first_seen: i64,
    /// The order in which entries came.
    pub(super) number: u64,
    pub(super) realm: Arc<Realm>,
    /// The first 12 hexadecimal digits of the digest of the canonical form.
    pub cmd_hash: [u8; 6],
    /// Which release of the canonical forms made the identity.
    pub canon_version: i16,
    pub(super) texts: Texts,
}

impl Proposed {
    /// The org, or None where the index is used without orgs.
    pub fn org(&self) -> Option<&str> {
        self.realm.org.as_deref()
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        &self.realm.kind
    }

    /// Its logical keys.
    pub fn logical_keys(&self) -> impl Iterator<Item = &str> {
        self.key_bytes().map(text)
    }

    /// Its logical keys, which need not be read as text to be told apart.
    pub(super) fn key_bytes(&self) -> impl Iterator<Item = &[u8]> {
        self.texts.keys().split_inclusive(|byte| *byte == 0).map(|key| &key[..key.len() - 1])
    }

    /// The proposer's label.
    pub fn display_id(&self) -> Option<&str> {
        self.texts.labelled.then(|| self.texts.label())
    }
}

/// Logical keys, each followed by NUL, which none contains, and the label: without an allocation, as most are short.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Texts {
    joined: SmallVec<[u8; INLINE]>,
    keys: u32,
    labelled: bool,
}

impl Clone for Texts {
    /// As one piece: a `SmallVec` would copy itself byte by byte.
    fn clone(&self) -> Self {
        Self {
            joined: SmallVec::from_slice(&self.joined),
            keys: self.keys,
            labelled: self.labelled,
        }
    }
}

impl Texts {
    /// None if they are longer than any that a proposal may have.
    pub(super) fn new<K: AsRef<str>>(
        logical_keys: impl IntoIterator<Item = K>,
        display_id: Option<&str>,
    ) -> Option<Self> {
        let mut joined = SmallVec::new();
        for key in logical_keys {
            let key = key.as_ref().as_bytes();
            if key.contains(&0) {
                joined.extend(key.iter().copied().filter(|byte| *byte != 0));
            } else {
                joined.extend_from_slice(key);
            }
            joined.push(0);
        }
        let keys = u32::try_from(joined.len()).ok()?;
        joined.extend_from_slice(display_id.unwrap_or_default().as_bytes());
        joined.shrink_to_fit();
        Some(Self { joined, keys, labelled: display_id.is_some() })
    }

    fn keys(&self) -> &[u8] {
        &self.joined[..self.keys as usize]
    }

    fn label(&self) -> &str {
        text(&self.joined[self.keys as usize..])
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// As many bytes of text as fill an entry up to three lines of the cache.
const INLINE: usize = 31;

/// One proposal and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub(super) proposed: Proposed,
    /// Where it stands.
    pub state: LifecycleState,
    /// How often it was taken into execution.
    pub attempt: u32,
    /// Grows with every change of state.
    pub version: u32,
    /// How often it was proposed.
    pub seen_count: u64,
    /// When last.
    pub last_seen: i64,
    /// When it lapses, if it does.
    pub lease_until: Option<i64>,
    /// When it ended.
    pub ended: i64,
}

impl Deref for Entry {
    type Target = Proposed;

    fn deref(&self) -> &Proposed {
        &self.proposed
    }
}

impl Entry {
    /// Whether its lease is over.
    pub(super) fn lapsed(&self, now: i64) -> bool {
        self.lease_until.is_some_and(|until| until <= now)
    }

    /// What a reader sees: a lapse that nobody has acted on yet has happened all the same.
    pub(super) fn seen_at(&self, now: i64) -> Self {
        let mut seen = self.clone();
        if self.lapsed(now) {
            seen.state = self.state.lapsed();
            seen.lease_until = None;
        }
        seen
    }
}

/// A logical key without its verb: the object and scope that related proposals share.
pub(super) fn target_of(logical_key: &[u8]) -> &[u8] {
    let colon = logical_key.iter().position(|byte| *byte == b':');
    colon.map_or(logical_key, |at| &logical_key[at + 1..])
}
