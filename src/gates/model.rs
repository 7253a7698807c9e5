//! Every interleaving of two threads on one set, by the model checker:
//! `RUSTFLAGS="--cfg loom" cargo test --no-default-features --release --lib model`.

use std::borrow::Cow;
use std::sync::Arc;

use loom::thread;

use super::key::KeyHash;
use super::limit::{Judgement, Limit, State};
use super::memory::Carver;
use super::table::{Shape, Table};
use super::tally::Named;

struct Unnamed;

impl Named for Unnamed {
    fn event(&self) -> u32 {
        0
    }
    fn tenant(&self) -> Option<Cow<'_, str>> {
        None
    }
    fn subkey(&self) -> Option<Cow<'_, str>> {
        None
    }
}

const NOW: u64 = 5;

fn table(ways: usize) -> Arc<Table<State>> {
    let shape = Shape { sets: 1, ways, whole_digest: false };
    Arc::new(Table::carve(&mut Carver::over(Arc::new(())), shape).unwrap())
}

/// One call at `NOW` under a limit of one in a window; true if allowed, and if not it is counted.
fn call(table: &Table<State>, place: u64) -> bool {
    let limit = Limit::window(1, 100).unwrap();
    let key = KeyHash { place, rest: 0 };
    loop {
        let Some(slot) = table.find(key).or_else(|| table.enter(key, 100, NOW, &|_, _| ())) else {
            return true; // untracked
        };
        let decided = table.update(slot, |state| match limit.judge(state, NOW) {
            Judgement::Allow(next) => (Some(next), true),
            Judgement::Deny(..) => (None, false),
        });
        match decided {
            Some(true) => return true,
            Some(false) if table.suppress(slot, NOW, &Unnamed, &|_, _| ()) => return false,
            Some(false) | None => {}
        }
    }
}

fn pending(table: &Table<State>, place: u64) -> u64 {
    table
        .find(KeyHash { place, rest: 0 })
        .map_or(0, |slot| table.tallies.peek(slot.index, slot.word).count)
}

fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(check);
}

#[test]
fn a_key_that_two_threads_enter_at_once_has_one_slot_and_one_winner() {
    model(|| {
        let table = table(2);
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || call(&table, 1))
        };
        let mine = call(&table, 1);
        let theirs = other.join().unwrap();
        assert!(mine ^ theirs);
        assert_eq!(pending(&table, 1), 1);
        assert!(table.occupied(1).is_none());
    });
}

#[test]
fn a_key_that_enters_beside_another_leaves_it_alone() {
    model(|| {
        let table = table(2);
        assert!(call(&table, 1));
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || call(&table, 1))
        };
        assert!(call(&table, 2));
        assert!(!other.join().unwrap());
        assert!(!call(&table, 2));
        assert_eq!((pending(&table, 1), pending(&table, 2)), (1, 1));
    });
}

#[test]
fn a_key_whose_slot_is_taken_never_writes_into_its_successor() {
    model(|| {
        let table = table(1);
        assert!(call(&table, 1));
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || call(&table, 1))
        };
        // Takes the only slot, or finds that key 1 is suppressing there.
        assert!(call(&table, 2));
        other.join().unwrap();
        let slot = table.occupied(0).unwrap();
        let emitted = table.record(slot).map_or(0, |state| state.emitted);
        assert!(emitted <= 1);
    });
}
