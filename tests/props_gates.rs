//! The table of gates against slow, obvious models, and under threads.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test stops at the first surprise

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use interlock::gates::limit::{Judgement, State};
use interlock::gates::occurrence::Occurrence;
use interlock::gates::{
    Budget, EVICTED, Event, EventSpec, Firing, Gates, KeyHash, Limit, Named, mix,
};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
/// So many keys that a handful never shares a set.
const ROOMY: usize = 8192;

struct Name<'a>(&'a Event, &'a str);

impl Named for Name<'_> {
    fn event(&self) -> u32 {
        self.0.place()
    }
    fn tenant(&self) -> Option<Cow<'_, str>> {
        None
    }
    fn subkey(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.1))
    }
}

struct Fixture {
    gates: Gates,
    event: Event,
}

impl Fixture {
    fn new(max_keys: usize, budget: Budget) -> Self {
        let gates = Gates::private(max_keys).unwrap();
        let spec =
            EventSpec { name: "event", policy: "test", rate: None, per_tenant: false, budget };
        let event = gates.event(&spec).unwrap();
        Self { gates, event }
    }

    fn allow(&self, limit: &Limit, name: &str, now: u64) -> bool {
        let key = self.gates.key(&self.event, 0, Some(name.as_bytes()));
        self.gates.allow(&self.event, limit, key, 0, &Name(&self.event, name), now)
    }

    fn digest(&self, name: &str) -> KeyHash {
        self.gates.secret().digest(&[name.as_bytes()])
    }

    fn fire(&self, name: &str, now: u64) -> Firing {
        self.gates.fire(&self.event, self.digest(name), None, &Name(&self.event, name), now)
    }

    fn drained(&self) -> u64 {
        self.gates.drain().iter().map(|row| row.count).sum()
    }
}

/// The generic cell rate algorithm as ITU-T I.371 states it, in wide integers.
struct CellRate {
    interval: i128,
    tolerance: i128,
    arrival: HashMap<String, i128>,
}

impl CellRate {
    fn allow(&mut self, key: &str, now: u64) -> bool {
        let now = i128::from(now);
        let expected = self.arrival.get(key).copied().unwrap_or(now).max(now);
        if expected - self.tolerance > now {
            return false;
        }
        self.arrival.insert(key.to_owned(), expected + self.interval);
        true
    }
}

fn calls() -> impl Strategy<Value = Vec<(u8, u64)>> {
    // Time goes back too: the clock is whatever the caller says.
    prop::collection::vec((0_u8..6, 0_u64..40 * SECOND), 1..200)
}

proptest! {
    #[test]
    fn a_rate_is_gcra(calls in calls(), max in 1_u64..8, span in 1_u64..20 * SECOND) {
        let fixture = Fixture::new(ROOMY, Budget::Unlimited);
        let limit = Limit::rate(max, span, None).unwrap();
        let interval = i128::from(span / max);
        let tolerance = interval * i128::from(max - 1);
        let mut model = CellRate { interval, tolerance, arrival: HashMap::new() };
        for (key, now) in calls {
            let key = key.to_string();
            prop_assert_eq!(fixture.allow(&limit, &key, now), model.allow(&key, now));
        }
    }

    #[test]
    fn a_window_is_a_dict_of_start_and_count(
        calls in calls(),
        limits in prop::collection::vec((0_u64..4, 1_u64..20 * SECOND), 1..4),
    ) {
        let fixture = Fixture::new(ROOMY, Budget::Unlimited);
        let mut model = HashMap::<u8, (u64, u64)>::new();
        for (turn, (key, now)) in calls.into_iter().enumerate() {
            // Each call brings its own limit, as `should_emit` does.
            let (max, span) = limits[turn % limits.len()];
            let limit = Limit::window(max, span).unwrap();
            let known = model.get(&key).copied();
            let (start, emitted) =
                known.filter(|(start, _)| now.saturating_sub(*start) < span).unwrap_or((now, 0));
            let expected = emitted < max;
            if expected {
                model.insert(key, (start, emitted + 1));
            }
            prop_assert_eq!(fixture.allow(&limit, &key.to_string(), now), expected);
        }
    }

    #[test]
    fn emitted_and_suppressed_are_the_calls_in_a_table_that_is_far_too_small(
        calls in prop::collection::vec((0_u8..40, 0_u64..5 * SECOND, any::<bool>()), 1..300),
        budget in prop_oneof![Just(Budget::Unlimited), Just(Budget::Of(3, 10 * SECOND))],
    ) {
        let fixture = Fixture::new(4, budget);
        let limit = Limit::window(2, 10 * SECOND).unwrap();
        let (mut now, mut emitted, mut reported) = (0, 0, 0);
        for (key, pause, drain) in &calls {
            now += pause;
            emitted += u64::from(fixture.allow(&limit, &key.to_string(), now));
            if *drain {
                reported += fixture.drained();
            }
        }
        let stats = fixture.gates.stats();
        prop_assert!(stats.keys <= stats.capacity);
        reported += fixture.drained();
        prop_assert_eq!(emitted + reported, calls.len() as u64);
        let totals = &fixture.gates.stats().events[0];
        prop_assert_eq!((totals.emitted, totals.suppressed), (emitted, reported));
    }

    #[test]
    fn a_key_that_has_been_denied_is_never_evicted(
        others in prop::collection::vec(any::<u32>(), 1..300),
        drain in any::<bool>(),
    ) {
        let fixture = Fixture::new(8, Budget::Unlimited);
        let limit = Limit::window(1, 60 * SECOND).unwrap();
        prop_assert!(fixture.allow(&limit, "hot", 0));
        prop_assert!(!fixture.allow(&limit, "hot", 0));
        for (now, other) in others.into_iter().enumerate() {
            if drain {
                fixture.gates.drain();
            }
            fixture.allow(&limit, &other.to_string(), now as u64);
        }
        prop_assert!(!fixture.allow(&limit, "hot", SECOND));
    }

    #[test]
    fn a_denial_by_the_budget_consumes_nothing_of_the_key(
        max in 1_u64..5, allowed in 0_u64..5, at in 0_u64..30,
    ) {
        let fixture = Fixture::new(64, Budget::Of(allowed, 60 * SECOND));
        let limit = Limit::window(max, 100 * SECOND).unwrap();
        for _ in 0..allowed.max(1) + 3 {
            fixture.allow(&limit, "spender", 0);
            fixture.allow(&limit, &format!("other{at}"), at * SECOND);
        }
        let before = fixture.gates.stats().events[0].emitted;
        prop_assert!(before <= allowed);
        // The budget is full again, and the newcomer's window opens only now.
        let now = 61 * SECOND;
        let fresh = (0..10).filter(|_| fixture.allow(&limit, "newcomer", now)).count() as u64;
        prop_assert_eq!(fresh, max.min(allowed));
    }

    #[test]
    fn a_judgement_never_panics_nor_gives_credit_for_time_that_went_back(
        time in any::<u64>(), emitted in 0_u64..1 << 40, muted in any::<bool>(), now in any::<u64>(),
        max in any::<u64>(), span in 1_u64.., burst in prop::option::of(any::<u64>()),
    ) {
        let state = Some(State { time, emitted, muted });
        let window = Limit::window(max, span).unwrap();
        let _ = window.judge(state, now);
        if let Ok(rate) = Limit::rate(max, span, burst) {
            let _ = rate.judge(state, now);
        }
        if now <= time && emitted >= max.min((1 << 40) - 1) && max > 0 {
            prop_assert!(matches!(window.judge(state, now), Judgement::Deny(..)));
        }
        for occurrence in [
            Occurrence::Fired { at: time, token: 1, failures: u8::MAX },
            Occurrence::Rearming { until: time, failures: u8::MAX },
        ] {
            let _ = occurrence.fire(now, Some(span), 2);
            let _ = occurrence.settle(now, 1, false);
        }
    }

    #[test]
    fn texts_that_differ_in_a_byte_or_in_length_are_keys_apart(
        text in prop::collection::vec(any::<u8>(), 0..150),
        (place, change) in (any::<prop::sample::Index>(), 1..=u8::MAX),
        tenants in any::<[u64; 2]>(),
    ) {
        let Fixture { gates, event } = Fixture::new(1, Budget::Unlimited);
        let key = |tenant, text: &[u8]| gates.key(&event, tenant, Some(text));
        let [tenant, other] = tenants;
        let own = key(tenant, &text);
        prop_assert_eq!(own, key(tenant, &text.clone()));
        prop_assert_ne!(own, gates.key(&event, tenant, None));
        if tenant != other {
            prop_assert_ne!(own, key(other, &text));
        }
        prop_assert_ne!(own, key(tenant, &[&text[..], &[0]].concat()));
        prop_assert_ne!(own, key(tenant, &[&[0], &text[..]].concat()));
        if !text.is_empty() {
            let mut changed = text.clone();
            changed[place.index(text.len())] ^= change;
            prop_assert_ne!(own, key(tenant, &changed));
        }
    }

    #[test]
    fn mixing_keeps_distinct_hashes_distinct_enough(a in any::<u64>(), b in any::<u64>(), seed in any::<u64>()) {
        prop_assume!(a != b);
        prop_assert_ne!(mix(seed, a), mix(seed, b));
    }
}

#[test]
fn keys_that_count_upwards_spread_over_the_sets() {
    let limit = Limit::window(1, SECOND).unwrap();
    let crowded = (0..1000).filter(|_| {
        let fixture = Fixture::new(64, Budget::Unlimited);
        for number in 0..8 {
            fixture.allow(&limit, &number.to_string(), 0);
        }
        fixture.gates.stats().evicted > 0
    });
    // One table of 1200 is to be expected; were the keys at even distances, one of 40.
    assert!(crowded.count() < 10);
}

#[test]
fn what_a_lost_slot_had_pending_is_reported_as_evicted() {
    let fixture = Fixture::new(1, Budget::Of(0, SECOND));
    let limit = Limit::window(1, 60 * SECOND).unwrap();
    for key in ["a", "b", "c"] {
        assert!(!fixture.allow(&limit, key, 0));
    }
    let rows: Vec<_> =
        fixture.gates.drain().into_iter().map(|row| (row.subkey.unwrap(), row.count)).collect();
    assert_eq!(rows, [(EVICTED.to_owned(), 2), ("c".to_owned(), 1)]);
}

#[test]
fn ten_million_distinct_keys_stay_in_the_table_and_a_muted_hot_key_stays_muted() {
    // A tenth of it without optimisation, which is slow.
    let attack: u64 = if cfg!(debug_assertions) { 300_000 } else { 10_000_000 };
    let fixture = Fixture::new(16_384, Budget::Of(600, 60 * SECOND));
    let limit = Limit::window(5, 60 * SECOND).unwrap();
    for _ in 0..6 {
        fixture.allow(&limit, "hot", 0);
    }
    let bytes = Gates::bytes(16_384).unwrap();
    for number in 0..attack {
        fixture.allow(&limit, &number.to_string(), number);
        if number % 1000 == 0 {
            assert!(!fixture.allow(&limit, "hot", number));
        }
    }
    let stats = fixture.gates.stats();
    assert_eq!(stats.keys, stats.capacity);
    assert_eq!(stats.events[0].emitted, 600);
    assert_eq!(
        stats.events[0].emitted + stats.events[0].suppressed,
        attack + attack.div_ceil(1000) + 6
    );
    assert_eq!(Gates::bytes(16_384).unwrap(), bytes);
}

const THREADS: usize = 8;

/// Runs `work` on all threads at once, many rounds, each with a table of its own.
fn together(
    rounds: usize,
    work: impl Fn(&Fixture, usize) -> u64 + Sync,
    check: impl Fn(&Fixture, u64),
) {
    for _ in 0..rounds {
        let fixture = Fixture::new(4, Budget::Unlimited);
        let (start, sum) = (Barrier::new(THREADS), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (fixture, start, sum, work) = (&fixture, &start, &sum, &work);
                scope.spawn(move || {
                    start.wait();
                    sum.fetch_add(work(fixture, thread), Ordering::Relaxed);
                });
            }
        });
        check(&fixture, sum.load(Ordering::Relaxed));
    }
}

#[test]
fn exactly_n_threads_win_when_each_calls_once() {
    let limit = Limit::window(3, SECOND).unwrap();
    together(
        300,
        |fixture, _| u64::from(fixture.allow(&limit, "k", 0)),
        |fixture, winners| {
            assert_eq!(winners, 3);
            assert_eq!(fixture.drained(), (THREADS - 3) as u64);
        },
    );
}

#[test]
fn exactly_n_threads_win_while_others_fill_the_same_set() {
    let limit = Limit::rate(3, 60 * SECOND, None).unwrap();
    together(
        200,
        |fixture, thread| {
            let mut winners = 0;
            for round in 0..200_u64 {
                winners += u64::from(fixture.allow(&limit, "k", 0));
                // Distinct keys that come and go, each in a tick of its own.
                fixture.allow(&limit, &format!("{thread}-{round}"), 0);
            }
            winners
        },
        |fixture, winners| {
            // Denied once, the key is never evicted; before that it may be, and then starts again.
            assert!((3..=6).contains(&winners), "{winners}");
            let totals = fixture.gates.stats().events.remove(0);
            assert_eq!(totals.emitted + totals.suppressed, 2 * 200 * THREADS as u64);
        },
    );
}

#[test]
fn exactly_one_thread_fires_in_each_epoch() {
    together(
        300,
        |fixture, thread| {
            let mut fired = 0;
            for _ in 0..50 {
                fired += u64::from(matches!(fixture.fire("k", 0), Firing::Fired(Some(_))));
                if thread == 0 {
                    fixture.gates.reset(fixture.digest("k"));
                }
            }
            fired
        },
        |fixture, fired| {
            let armed = matches!(fixture.fire("k", 0), Firing::Fired(_));
            // Only thread 0 resets, and a firing can follow each reset only once.
            assert!((1..=51).contains(&(fired + u64::from(armed))), "{fired}");
        },
    );
}

#[test]
fn windows_that_roll_over_under_threads_emit_exactly_n_each() {
    let limit = Limit::window(5, 10).unwrap();
    let clock = AtomicU64::new(0);
    together(
        20,
        |fixture, _| {
            (0..5000)
                .map(|_| {
                    let now = clock.fetch_add(1, Ordering::SeqCst) / 100 * 10;
                    u64::from(fixture.allow(&limit, "k", now))
                })
                .sum()
        },
        |_, winners| {
            // 100 calls at each instant, all instants a window apart; a late caller sees the
            // next window and is judged by that.
            assert_eq!(winners % 5, 0, "{winners}");
            assert!(winners >= 5 * 390, "{winners}");
            clock.store(0, Ordering::SeqCst);
        },
    );
}
