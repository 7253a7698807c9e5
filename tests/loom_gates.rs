//! The table of gates under every interleaving of a few threads, and every order in which a weak
//! memory may show them each other's writes:
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release --no-default-features --test loom_gates`
//!
//! The model checker puts its own atomics in the place of the table's (`src/gates/modelled_*.rs`);
//! all else is the real code, at a clock that stands still.

#![cfg(loom)]
#![allow(clippy::unwrap_used)] // a test stops at the first surprise

use std::borrow::Cow;
use std::sync::Arc;

use interlock::gates::{
    Budget, EVICTED, Event, EventSpec, Firing, Gates, KeyHash, Limit, Named, Suppression,
};
use loom::thread;

const NOW: u64 = 5;
const SPAN: u64 = 100;
const LATER: u64 = NOW + SPAN;

struct Name(u32, u64);

impl Named for Name {
    fn event(&self) -> u32 {
        self.0
    }
    fn tenant(&self) -> Option<Cow<'_, str>> {
        None
    }
    fn subkey(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Owned(format!("key-{}", self.1)))
    }
}

struct Fixture {
    gates: Gates,
    events: [Event; 2],
}

impl Fixture {
    fn new(max_keys: usize, budget: Budget) -> Arc<Self> {
        let gates = Gates::private(max_keys).unwrap();
        let events = ["one", "two"].map(|name| {
            let spec = EventSpec { name, policy: "test", rate: None, per_tenant: false, budget };
            gates.event(&spec).unwrap()
        });
        Arc::new(Self { gates, events })
    }

    /// One call of `key`, which is of the first event or the second as it is odd or even.
    fn allow(&self, max: u64, key: u64, now: u64) -> bool {
        let (limit, event) = (Limit::window(max, SPAN).unwrap(), &self.events[key as usize % 2]);
        let name = Name(event.place(), key);
        self.gates.allow(event, &limit, hash(key), 0, &name, now)
    }

    fn fire(&self, key: u64, now: u64) -> Firing {
        let event = &self.events[key as usize % 2];
        self.gates.fire(event, hash(key), None, &Name(event.place(), key), now)
    }

    /// Emitted and suppressed of both events, when nobody calls any more. Each event's are its own,
    /// and a label is never another key's.
    fn totals(&self, drained: Vec<Suppression>) -> (u64, u64) {
        let rows = [drained, self.gates.drain()].concat();
        let stats = self.gates.stats();
        for (place, event) in ["two", "one"].into_iter().enumerate() {
            let of_event = stats.events.iter().find(|totals| totals.event == event).unwrap();
            let reported: u64 =
                rows.iter().filter(|row| row.event == event).map(|row| row.count).sum();
            assert_eq!(reported, of_event.suppressed, "{event}: {rows:?}");
            for row in rows.iter().filter(|row| row.event == *event) {
                let subkey = row.subkey.as_deref().unwrap();
                let number = subkey.strip_prefix("key-").map(|number| number.parse::<usize>());
                let own = number.is_some_and(|number| number.unwrap() % 2 != place);
                assert!(own || subkey == EVICTED, "{event}: {subkey}");
            }
        }
        let sum = |part: fn(&interlock::gates::Totals) -> u64| stats.events.iter().map(part).sum();
        (sum(|totals| totals.emitted), sum(|totals| totals.suppressed))
    }
}

fn hash(key: u64) -> KeyHash {
    KeyHash { place: key, rest: key << 32 }
}

fn fired(firing: Firing) -> u64 {
    u64::from(matches!(firing, Firing::Fired(Some(_))))
}

/// Runs `check` under every interleaving with at most `preemptions` of them forced.
fn model(preemptions: usize, check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(check);
}

/// Runs `work` on a thread of its own.
fn beside<T: 'static>(
    fixture: &Arc<Fixture>,
    work: impl FnOnce(&Fixture) -> T + 'static,
) -> thread::JoinHandle<T> {
    let fixture = Arc::clone(fixture);
    thread::spawn(move || work(&fixture))
}

#[test]
fn exactly_one_of_two_wins_a_key_that_both_enter() {
    model(3, || {
        let fixture = Fixture::new(2, Budget::Unlimited);
        let other = beside(&fixture, |fixture| fixture.allow(1, 1, NOW));
        let mine = fixture.allow(1, 1, NOW);
        assert!(mine ^ other.join().unwrap());
        assert_eq!(fixture.totals(vec![]), (1, 1));
        assert_eq!(fixture.gates.stats().keys, 1);
    });
}

#[test]
fn exactly_two_of_three_win_a_key_that_is_there() {
    model(2, || {
        let fixture = Fixture::new(1, Budget::Unlimited);
        assert!(fixture.allow(1, 1, NOW));
        let others = [(); 2].map(|()| beside(&fixture, |fixture| fixture.allow(3, 1, NOW)));
        let mine = fixture.allow(3, 1, NOW);
        let won = others.map(|other| other.join().unwrap());
        assert_eq!([mine, won[0], won[1]].iter().filter(|won| **won).count(), 2);
        assert_eq!(fixture.totals(vec![]), (3, 1));
    });
}

#[test]
fn a_window_that_ends_is_opened_once() {
    model(3, || {
        let fixture = Fixture::new(1, Budget::Unlimited);
        assert!(fixture.allow(1, 1, NOW));
        let other = beside(&fixture, |fixture| fixture.allow(1, 1, LATER));
        let mine = fixture.allow(1, 1, LATER);
        assert!(mine ^ other.join().unwrap());
        assert_eq!(fixture.totals(vec![]), (2, 1));
    });
}

#[test]
fn a_drain_beside_denials_reports_each_once() {
    model(3, || {
        let fixture = Fixture::new(1, Budget::Unlimited);
        assert!(fixture.allow(1, 1, NOW));
        let other = beside(&fixture, |fixture| {
            assert!(!fixture.allow(1, 1, NOW));
            assert!(!fixture.allow(1, 1, NOW));
        });
        let drained = fixture.gates.drain();
        other.join().unwrap();
        assert_eq!(fixture.totals(drained), (1, 2));
    });
}

#[test]
fn two_that_are_told_of_the_same_denials_are_told_once() {
    model(3, || {
        let fixture = Fixture::new(1, Budget::Unlimited);
        assert!(!fixture.allow(0, 1, NOW));
        let other = beside(&fixture, |fixture| {
            assert!(!fixture.allow(0, 1, NOW));
            fixture.gates.take_pending(hash(1)).count
        });
        let mine = fixture.gates.take_pending(hash(1)).count;
        let told = mine + other.join().unwrap();
        assert_eq!(told + fixture.gates.drain().iter().map(|row| row.count).sum::<u64>(), 2);
    });
}

#[test]
fn a_key_that_loses_its_slot_in_a_call_loses_no_count_and_no_name() {
    model(3, || {
        let fixture = Fixture::new(1, Budget::Unlimited);
        assert!(fixture.allow(1, 1, NOW));
        // Key 1 is denied while its window lasts; key 2 comes when that has ended.
        let other = beside(&fixture, |fixture| u64::from(fixture.allow(1, 1, LATER - 1)));
        assert!(!fixture.allow(0, 2, LATER));
        // Allowed only if it comes back after it had lost the slot.
        let again = other.join().unwrap();
        assert_eq!(fixture.totals(vec![]), (1 + again, 2 - again));
    });
}

#[test]
fn keys_that_evict_each_other_leave_no_count_to_the_wrong_event() {
    model(2, || {
        let fixture = Fixture::new(1, Budget::Unlimited);
        assert!(!fixture.allow(0, 1, NOW));
        let other = beside(&fixture, |fixture| fixture.allow(0, 2, NOW));
        let drained = fixture.gates.drain();
        assert!(!fixture.allow(0, 4, NOW));
        assert!(!other.join().unwrap());
        assert_eq!(fixture.totals(drained), (0, 3));
    });
}

#[test]
#[ignore = "its interleavings take longer than all others together: add `-- --ignored`"]
fn of_three_keys_that_evict_each_other_none_loses_its_count() {
    model(1, || {
        let fixture = Fixture::new(1, Budget::Unlimited);
        let others = [1, 2].map(|key| beside(&fixture, move |fixture| fixture.allow(0, key, NOW)));
        assert!(!fixture.allow(0, 4, NOW));
        for other in others {
            assert!(!other.join().unwrap());
        }
        assert_eq!(fixture.totals(vec![]), (0, 3));
    });
}

#[test]
fn a_key_that_has_been_denied_stays_muted_whoever_comes() {
    model(3, || {
        let fixture = Fixture::new(1, Budget::Unlimited);
        assert!(fixture.allow(1, 1, NOW));
        assert!(!fixture.allow(1, 1, NOW));
        let other = beside(&fixture, |fixture| fixture.allow(1, 2, NOW));
        assert!(!fixture.allow(1, 1, NOW));
        other.join().unwrap();
        assert!(!fixture.allow(1, 1, NOW));
    });
}

#[test]
fn a_key_that_enters_beside_another_leaves_it_alone() {
    model(3, || {
        let fixture = Fixture::new(2, Budget::Unlimited);
        assert!(fixture.allow(1, 1, NOW));
        let other = beside(&fixture, |fixture| fixture.allow(1, 1, NOW));
        assert!(fixture.allow(1, 2, NOW));
        assert!(!other.join().unwrap());
        assert!(!fixture.allow(1, 2, NOW));
        assert_eq!(fixture.totals(vec![]), (2, 2));
    });
}

#[test]
fn keys_of_one_event_share_its_budget_exactly() {
    model(2, || {
        let fixture = Fixture::new(2, Budget::Of(1, SPAN));
        let other = beside(&fixture, |fixture| fixture.allow(1, 1, NOW));
        let mine = fixture.allow(1, 3, NOW);
        assert!(mine ^ other.join().unwrap());
        assert_eq!(fixture.totals(vec![]), (1, 1));
    });
}

#[test]
fn exactly_one_of_two_fires_and_again_after_a_reset() {
    model(3, || {
        let fixture = Fixture::new(2, Budget::Unlimited);
        let other = beside(&fixture, |fixture| fired(fixture.fire(1, NOW)));
        let mine = fired(fixture.fire(1, NOW));
        assert_eq!(mine + other.join().unwrap(), 1);
        let other = beside(&fixture, |fixture| u64::from(fixture.gates.reset(hash(1))));
        let reset = u64::from(fixture.gates.reset(hash(1)));
        assert_eq!(reset + other.join().unwrap(), 1);
        assert_eq!(fired(fixture.fire(1, NOW)), 1);
        assert_eq!(fixture.totals(vec![]), (2, 1));
    });
}

#[test]
fn a_body_that_fails_arms_its_own_firing_alone() {
    model(3, || {
        let fixture = Fixture::new(1, Budget::Unlimited);
        let Firing::Fired(Some(token)) = fixture.fire(1, NOW) else { unreachable!() };
        let other = beside(&fixture, move |fixture| {
            fixture.gates.settle(hash(1), token, false, NOW);
        });
        // Arms it at once, before or after the body has failed.
        fixture.gates.reset(hash(1));
        let again = fired(fixture.fire(1, NOW));
        other.join().unwrap();
        assert_eq!(again, 1);
        assert_eq!(fired(fixture.fire(1, NOW)), 0);
    });
}
