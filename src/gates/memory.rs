//! Arrays of atomic words carved out of one region: anonymous memory, or a file that workers share.

use std::ops::Deref;
use std::sync::Arc;

use super::atomics::{AtomicU64, AtomicU128};

/// A mapped region, all zero when new. Pages that nobody touched cost nothing.
pub(super) type Region = memmap2::MmapRaw;

/// Words that may be carved out of a region.
///
/// # Safety
/// Every bit pattern must be a valid value, no value may need dropping, and concurrent access, also
/// from other processes, must be sound.
#[allow(unsafe_code)] // the promise that `Cells` builds on
pub(super) unsafe trait Word {}

// SAFETY: an atomic integer has no invalid bit pattern, no destructor, and is accessed atomically.
#[allow(unsafe_code)]
unsafe impl Word for AtomicU64 {}
// SAFETY: as above; `shared` refuses machines where 128-bit atomics are not lock-free.
#[allow(unsafe_code)]
unsafe impl Word for AtomicU128 {}

/// A slice of a region.
pub(super) struct Cells<W> {
    first: std::ptr::NonNull<W>,
    len: usize,
    _region: Arc<Region>,
}

// SAFETY: `Cells` gives out shared references only, to words made for concurrent access; the region
// stays mapped for as long as any of its slices lives.
#[allow(unsafe_code)]
unsafe impl<W: Word + Sync> Send for Cells<W> {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl<W: Word + Sync> Sync for Cells<W> {}

impl<W: Word> Deref for Cells<W> {
    type Target = [W];

    #[allow(unsafe_code)] // the one place where mapped memory becomes words
    fn deref(&self) -> &[W] {
        // SAFETY: `Carver::cells` checked bounds and alignment, and gave these bytes to no other
        // slice; the mapping outlives `self`; any bit pattern is a valid `W`.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.len) }
    }
}

/// Cuts a region into arrays, in an order that all its users share.
///
/// Without a region it only measures; the measured length is what a region must have.
pub(super) struct Carver {
    region: Option<Arc<Region>>,
    offset: usize,
}

impl Carver {
    pub(super) fn measuring() -> Self {
        Self { region: None, offset: 0 }
    }

    /// Over `len` bytes of this process alone.
    pub(super) fn private(len: usize) -> std::io::Result<Self> {
        let region = memmap2::MmapOptions::new().len(len).map_anon()?;
        Ok(Self::over(Arc::new(region.into())))
    }

    pub(super) fn over(region: Arc<Region>) -> Self {
        Self { region: Some(region), offset: 0 }
    }

    /// Bytes cut so far.
    pub(super) fn len(&self) -> usize {
        self.offset
    }

    /// The next `len` words; `None` while measuring, or if the region is too short.
    pub(super) fn cells<W: Word>(&mut self, len: usize) -> Option<Cells<W>> {
        const CACHE_LINE: usize = 64;
        let start = self.offset.next_multiple_of(CACHE_LINE);
        self.offset = start.checked_add(len.checked_mul(size_of::<W>())?)?;
        let region = self.region.as_ref()?;
        if self.offset > region.len() {
            return None;
        }
        // A mapping starts on a page, so a multiple of the cache line is aligned for every word.
        let first = std::ptr::NonNull::new(region.as_mut_ptr().wrapping_add(start))?.cast();
        Some(Cells { first, len, _region: Arc::clone(region) })
    }
}
