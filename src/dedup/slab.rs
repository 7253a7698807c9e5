//! What a shard holds, by slot.

/// Bytes of a large page, on most systems.
pub(super) const HUGE_PAGE: usize = 2 << 20;

/// Values of the first chunk. Each of the next has twice as many as the one before, up to [`LARGEST`] doublings: a small
/// index takes little, and most of a large one lies in large pages. What is not used yet takes no memory.
const FIRST: usize = 64;
const LARGEST: u32 = 14;

/// Values in chunks, so that growing neither moves them nor leaves half of the memory unused.
pub(super) struct Slab<T> {
    chunks: Vec<Vec<Option<T>>>,
    free: Vec<u32>,
    slots: u32,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), free: Vec::new(), slots: 0 }
    }
}

impl<T> Slab<T> {
    /// The slot that the next value goes to.
    pub(super) fn next(&self) -> u32 {
        self.free.last().copied().unwrap_or(self.slots)
    }

    /// Puts a value into a slot that is free. None if there is none left.
    pub(super) fn insert(&mut self, value: T) -> Option<u32> {
        if let Some(slot) = self.free.pop() {
            *self.slot_mut(slot)? = Some(value);
            return Some(slot);
        }
        let slot = self.slots;
        let (chunk, _) = place_of(slot);
        if chunk == self.chunks.len() {
            let size = FIRST << chunk.min(LARGEST as usize);
            let values = Vec::with_capacity(size);
            advise_huge_pages(values.as_ptr(), size * size_of::<Option<T>>());
            self.chunks.push(values);
        }
        self.slots = slot.checked_add(1)?;
        self.chunks.get_mut(chunk)?.push(Some(value));
        Some(slot)
    }

    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        let (chunk, offset) = place_of(slot);
        self.chunks.get(chunk)?.get(offset)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.slot_mut(slot)?.as_mut()
    }

    /// Takes a value out, and frees its slot.
    pub(super) fn take(&mut self, slot: u32) -> Option<T> {
        let value = self.slot_mut(slot)?.take()?;
        self.free.push(slot);
        Some(value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten().flatten()
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut Option<T>> {
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
pub(super) fn advise_huge_pages<T>(start: *const T, bytes: usize) {
    const PAGE: usize = 4096;
    if bytes < HUGE_PAGE {
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
pub(super) fn advise_huge_pages<T>(_: *const T, _: usize) {}

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
