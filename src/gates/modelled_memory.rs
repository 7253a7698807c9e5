//! Arrays of the model checker's words, which live on the heap.

use std::ops::Deref;

/// An array of words, all zero when new.
pub(super) struct Cells<W>(Box<[W]>);

impl<W> Deref for Cells<W> {
    type Target = [W];

    fn deref(&self) -> &[W] {
        &self.0
    }
}

/// Makes arrays, or only measures them.
pub(super) struct Carver {
    measuring: bool,
    len: usize,
}

impl Carver {
    pub(super) fn measuring() -> Self {
        Self { measuring: true, len: 0 }
    }

    pub(super) fn private(_len: usize) -> std::io::Result<Self> {
        Ok(Self { measuring: false, len: 0 })
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn cells<W: Default>(&mut self, len: usize) -> Option<Cells<W>> {
        self.len += len * size_of::<W>();
        (!self.measuring).then(|| Cells((0..len).map(|_| W::default()).collect()))
    }
}
