//! Slots under the hash of what they hold.

use super::slab::{HUGE_PAGE, advise_huge_pages};

/// Cells of the smallest table. Every size is a power of two.
const SMALLEST: usize = 8;

/// A hash table of slots by open addressing with linear probing. A cell holds half of the hash beside the slot, so that
/// a look waits for memory once, reads nothing but what it looks for, and a table that grows needs no key again.
#[derive(Default)]
pub(super) struct Slots {
    // The cells, and where they fill large pages, what lies before the first such page.
    memory: Vec<Cell>,
    start: usize,
    size: usize,
    len: usize,
}

/// Half of a hash above a slot and one; zero is an empty cell.
type Cell = u64;

const EMPTY: Cell = 0;

fn cell(hash: u64, slot: u32) -> Cell {
    (hash & !u64::from(u32::MAX)) | (u64::from(slot) + 1)
}

fn slot_in(cell: Cell) -> Option<u32> {
    #[allow(clippy::cast_possible_truncation)] // the lower half is the slot
    (cell as u32).checked_sub(1)
}

impl Slots {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The slot under this hash that is the one looked for.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let (_, cell) = self.probe(hash).find(|(_, cell)| slot_in(*cell).is_some_and(&is_it))?;
        slot_in(cell)
    }

    /// Puts a slot under this hash, where it is not yet.
    pub(super) fn insert(&mut self, hash: u64, slot: u32) {
        // A quarter of the cells stays empty, and a run between two empty ones short.
        if 4 * (self.len + 1) > 3 * self.size {
            self.grow();
        }
        self.place(cell(hash, slot));
        self.len += 1;
    }

    /// Takes a slot from under this hash, if it is there.
    pub(super) fn remove(&mut self, hash: u64, slot: u32) {
        let Some((mut hole, _)) = self.probe(hash).find(|(_, cell)| slot_in(*cell) == Some(slot))
        else {
            return;
        };
        // What lies behind moves up, unless that is before its home: no run is broken, and nothing marks the place.
        let mut at = hole;
        loop {
            at = self.after(at);
            let behind = self.cells()[at];
            if behind == EMPTY {
                break;
            }
            if self.distance(self.home(behind), at) >= self.distance(hole, at) {
                self.cells_mut()[hole] = behind;
                hole = at;
            }
        }
        self.cells_mut()[hole] = EMPTY;
        self.len -= 1;
    }

    /// The cells with this half of the hash, from its home to the end of the run, and where they are.
    fn probe(&self, hash: u64) -> impl Iterator<Item = (usize, Cell)> {
        let mut at = self.home(hash);
        let run = std::iter::from_fn(move || {
            let here = (at, *self.cells().get(at)?);
            at = self.after(at);
            (here.1 != EMPTY).then_some(here)
        });
        run.filter(move |(_, cell)| cell >> 32 == hash >> 32)
    }

    fn place(&mut self, cell: Cell) {
        let mut at = self.home(cell);
        while self.cells()[at] != EMPTY {
            at = self.after(at);
        }
        self.cells_mut()[at] = cell;
    }

    fn grow(&mut self) {
        let size = SMALLEST.max(2 * self.size);
        let before = std::mem::replace(self, Self::empty(size));
        before.cells().iter().filter(|cell| **cell != EMPTY).for_each(|cell| self.place(*cell));
        self.len = before.len;
    }

    /// A table of so many cells. One that fills large pages begins where one does: otherwise a table of two of them lies
    /// in one and a thousand small ones. What is left out before it is never touched, and takes no memory.
    fn empty(size: usize) -> Self {
        const PER_PAGE: usize = HUGE_PAGE / size_of::<Cell>();
        let spare = if size < PER_PAGE { 0 } else { PER_PAGE };
        let memory = vec![EMPTY; size + spare];
        let begin = memory.as_ptr().addr();
        let start = (begin.next_multiple_of(HUGE_PAGE) - begin) / size_of::<Cell>() % PER_PAGE;
        let table = Self { memory, start: start.min(spare), size, len: 0 };
        advise_huge_pages(table.cells().as_ptr(), size * size_of::<Cell>());
        table
    }

    fn cells(&self) -> &[Cell] {
        &self.memory[self.start..self.start + self.size]
    }

    fn cells_mut(&mut self) -> &mut [Cell] {
        &mut self.memory[self.start..self.start + self.size]
    }

    /// Where a hash, or a cell with half of it, belongs.
    #[allow(clippy::cast_possible_truncation)] // 32 bits remain
    fn home(&self, hash: u64) -> usize {
        (hash >> 32) as usize & self.mask()
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & self.mask()
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.mask()
    }

    fn mask(&self) -> usize {
        self.size.wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::slab::HUGE_PAGE;
    use super::Slots;

    /// Few homes, some of them at the end of the table, so that runs meet and go round.
    fn hash_of(slot: u32) -> u64 {
        [0, 1, 6, 7, 7 | 1 << 20][slot as usize % 5] << 32 | u64::from(slot)
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(steps in prop::collection::vec((any::<bool>(), 0..40_u32), 0..200)) {
            let (mut slots, mut model) = (Slots::default(), BTreeSet::new());
            for (adds, slot) in steps {
                if adds && model.insert(slot) {
                    slots.insert(hash_of(slot), slot);
                } else if !adds {
                    model.remove(&slot);
                    slots.remove(hash_of(slot), slot);
                }
                prop_assert_eq!(slots.len(), model.len());
                for slot in 0..40 {
                    let found = slots.find(hash_of(slot), |at| at == slot);
                    prop_assert_eq!(found, model.contains(&slot).then_some(slot));
                }
            }
        }
    }

    #[test]
    fn a_table_that_fills_large_pages_begins_with_one() {
        let mut slots = Slots::default();
        for slot in 0..400_000 {
            slots.insert(u64::from(slot).wrapping_mul(0x9E37_79B9_7F4A_7C15), slot);
        }
        assert_eq!(slots.cells().as_ptr().addr() % HUGE_PAGE, 0);
        assert!((0..400_000).all(|slot| {
            let hash = u64::from(slot).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            slots.find(hash, |at| at == slot) == Some(slot)
        }));
    }
}
