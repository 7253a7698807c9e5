//! The entries of a shard, by slot.

use super::Entry;

/// Entries of the first chunk. Each of the next has twice as many as the one before, up to [`LARGEST`] doublings: a small
/// index takes little, and most of a large one lies in large pages. What is not used yet takes no memory.
const FIRST: usize = 64;
const LARGEST: u32 = 14;

/// Entries in chunks, so that growing neither moves them nor leaves half of the memory unused.
#[derive(Default)]
pub(super) struct Slab {
    chunks: Vec<Vec<Option<Entry>>>,
    free: Vec<u32>,
    slots: u32,
}

impl Slab {
    /// Puts an entry into a slot that is free. None if there is none left.
    pub(super) fn insert(&mut self, entry: Entry) -> Option<u32> {
        if let Some(slot) = self.free.pop() {
            *self.slot_mut(slot)? = Some(entry);
            return Some(slot);
        }
        let slot = self.slots;
        let (chunk, _) = place_of(slot);
        if chunk == self.chunks.len() {
            let size = FIRST << chunk.min(LARGEST as usize);
            let entries = Vec::with_capacity(size);
            advise_huge_pages(entries.as_ptr(), size * size_of::<Option<Entry>>());
            self.chunks.push(entries);
        }
        self.slots = slot.checked_add(1)?;
        self.chunks.get_mut(chunk)?.push(Some(entry));
        Some(slot)
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Entry> {
        let (chunk, offset) = place_of(slot);
        self.chunks.get(chunk)?.get(offset)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        self.slot_mut(slot)?.as_mut()
    }

    /// Takes an entry out, and frees its slot.
    pub(super) fn take(&mut self, slot: u32) -> Option<Entry> {
        let entry = self.slot_mut(slot)?.take()?;
        self.free.push(slot);
        Some(entry)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.chunks.iter().flatten().flatten()
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut Option<Entry>> {
        let (chunk, offset) = place_of(slot);
        self.chunks.get_mut(chunk)?.get_mut(offset)
    }
}

/// The chunk of a slot, and where it is in there.
fn place_of(slot: u32) -> (usize, usize) {
    const DOUBLING: usize = FIRST * ((1 << LARGEST) - 1);
    let slot = slot as usize;
    if slot < DOUBLING {
        let chunk = (slot / FIRST + 1).ilog2();
        (chunk as usize, slot - FIRST * ((1 << chunk) - 1))
    } else {
        let (size, beyond) = (FIRST << LARGEST, slot - DOUBLING);
        (LARGEST as usize + beyond / size, beyond % size)
    }
}

/// A look at one of a million entries waits for the page tables as well as for the memory: fewer, larger pages spare it
/// that. Where the system has none, or does not take advice, nothing changes.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)] // there is no safe call for it
fn advise_huge_pages<T>(start: *const T, bytes: usize) {
    const PAGE: usize = 4096;
    const HUGE: usize = 2 << 20;
    if bytes < HUGE {
        return;
    }
    let begin = start.addr().next_multiple_of(PAGE);
    let length = (start.addr() + bytes - begin) / PAGE * PAGE;
    // SAFETY: the range lies within an allocation of the caller. Advice about its pages changes none of its contents.
    unsafe {
        libc::madvise(begin as *mut libc::c_void, length, libc::MADV_HUGEPAGE);
    }
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages<T>(_: *const T, _: usize) {}

#[cfg(test)]
mod tests {
    use super::{FIRST, LARGEST, place_of};

    #[test]
    fn slots_follow_each_other_through_the_chunks() {
        let mut expected = (0, 0);
        for slot in 0..4_000_000 {
            assert_eq!(place_of(slot), expected);
            expected.1 += 1;
            if expected.1 == FIRST << expected.0.min(LARGEST as usize) {
                expected = (expected.0 + 1, 0);
            }
        }
    }
}
