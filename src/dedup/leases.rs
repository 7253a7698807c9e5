//! When which lease lapses.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Leases by the time at which they lapse. Most begin later than those before them and end before they lapse, so they
/// lie in a heap, where what comes last stays last, and a lease that ended is left there until it would have lapsed,
/// or until more of what lies there ended than did not.
#[derive(Default)]
pub(super) struct Leases {
    heap: BinaryHeap<Reverse<(i64, u32)>>,
    running: usize,
}

/// Not worth looking through.
const FEW: usize = 64;

impl Leases {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.running
    }

    /// Notes that the lease of a slot is another one now. `runs` says whether a slot has a lease until then.
    pub(super) fn change(
        &mut self,
        slot: u32,
        before: Option<i64>,
        after: Option<i64>,
        runs: impl Fn(i64, u32) -> bool,
    ) {
        if before == after {
            return;
        }
        self.heap.extend(after.map(|until| Reverse((until, slot))));
        self.running = self.running + usize::from(after.is_some()) - usize::from(before.is_some());
        if self.heap.len() > FEW + 2 * self.running {
            let mut noted = std::mem::take(&mut self.heap).into_vec();
            noted.retain(|Reverse((until, slot))| runs(*until, *slot));
            noted.sort_unstable();
            noted.dedup();
            self.heap = noted.into();
        }
    }

    /// The slot whose lease lapsed first, if one has.
    pub(super) fn first_lapsed(
        &mut self,
        now: i64,
        runs: impl Fn(i64, u32) -> bool,
    ) -> Option<u32> {
        while let Some(Reverse((until, slot))) = self.heap.peek().filter(|first| first.0.0 <= now) {
            if runs(*until, *slot) {
                return Some(*slot);
            }
            self.heap.pop();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{FEW, Leases};

    proptest! {
        #[test]
        fn agrees_with_a_sorted_set_and_keeps_little_of_what_ended(
            changes in prop::collection::vec((0..8_u32, prop::option::of(0..20_i64), 0..20_i64), 0..600),
        ) {
            let mut leases = Leases::default();
            let mut running = [None; 8];
            for (slot, after, now) in changes {
                let before = std::mem::replace(&mut running[slot as usize], after);
                let runs = |until, slot: u32| running[slot as usize] == Some(until);
                leases.change(slot, before, after, runs);
                let sorted: BTreeSet<(i64, u32)> =
                    (0..).zip(running).filter_map(|(slot, until)| Some((until?, slot))).collect();
                let first = sorted.first().filter(|(until, _)| *until <= now).map(|(_, slot)| *slot);
                prop_assert_eq!(leases.first_lapsed(now, runs), first);
                prop_assert_eq!(leases.len(), sorted.len());
                prop_assert!(leases.heap.len() <= FEW + 2 * sorted.len());
            }
        }
    }
}
