//! The index under several threads, and under the interleavings that they rarely meet.

#![allow(clippy::unwrap_used)] // a test stops at the first surprise

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use interlock::dedup::identity::identity;
use interlock::dedup::{Candidate, Index, LifecycleState, Reason, Settings};

const ORGS: [Option<&str>; 3] = [None, Some("a"), Some("b")];

fn hash_of(content: &[u8]) -> [u8; 32] {
    *identity(content, None).bytes()
}

fn candidate<'a>(org: Option<&'a str>, content_hash: &'a [u8; 32]) -> Candidate<'a> {
    Candidate {
        org,
        kind: "shell",
        content_hash,
        former_hash: None,
        cmd_hash: [0; 6],
        display_id: None,
    }
}

/// What a rival does between the first look at a content and the second, where no lock is held.
#[test]
fn a_rival_between_the_two_looks_wins() {
    let index = Index::new(Settings { lease: None, cooldown: Some(9), capacity: 2 });
    let hash = hash_of(&[0]);
    let candidate = candidate(None, &hash);
    for (ends, reason) in [(false, Reason::InFlight), (true, Reason::Cooldown)] {
        let mut rival = None;
        let late = index.propose(
            candidate,
            || {
                let first = index.propose(candidate, || ["stop:web"], 0).unwrap();
                if ends {
                    let to = LifecycleState::Cancelled;
                    index.transition(first.stored.id, None, to, None, 0).unwrap();
                }
                rival = Some(first);
                ["stop:web"]
            },
            0,
        );
        let (late, rival) = (late.unwrap(), rival.unwrap());
        assert_eq!((rival.reason, late.reason), (Reason::New, reason));
        assert_eq!(late.stored.id, rival.stored.id);
        assert_eq!((index.len(), late.stored.seen_count), (usize::from(!ends), 2));
        if !ends {
            // Out of the way of the next round, and of its cooldown.
            index.transition(rival.stored.id, None, LifecycleState::Expired, None, 0).unwrap();
        }
    }
}

/// Never more in flight than the capacity, whoever comes at once, and not fewer.
#[test]
fn threads_fill_an_index_to_the_brim() {
    for _ in 0..20 {
        let index = Index::new(Settings { lease: None, cooldown: None, capacity: 100 });
        let full = AtomicUsize::new(0);
        std::thread::scope(|threads| {
            for thread in 0..4_u8 {
                let (index, full) = (&index, &full);
                threads.spawn(move || {
                    for n in 0..50_u8 {
                        let hash = hash_of(&[thread, n]);
                        let candidate = candidate(None, &hash);
                        if index.propose(candidate, Vec::<String>::new, 0).is_err() {
                            full.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(
            (index.len(), index.in_flight(None, 0).len(), full.into_inner()),
            (100, 100, 100)
        );
    }
}

/// Threads without an interpreter: one winner for each content, and every table agrees at the end.
#[test]
fn threads_agree_on_one_winner() {
    let index = Index::new(Settings { lease: None, cooldown: None, capacity: 1 << 16 });
    let won = AtomicUsize::new(0);
    let ended = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for thread in 0..8_usize {
            let (index, won, ended) = (&index, &won, &ended);
            threads.spawn(move || {
                for round in 0..4_000_usize {
                    let content = u8::try_from((round * 31 + thread) % 50).unwrap_or_default();
                    let hash = hash_of(&[content]);
                    let candidate = candidate(ORGS[round % 3], &hash);
                    let Ok(decision) = index.propose(candidate, || ["stop:web"], 0) else {
                        continue;
                    };
                    won.fetch_add(usize::from(decision.reason == Reason::New), Ordering::Relaxed);
                    if round % 5 == 0 {
                        let cancelled = index.transition(
                            decision.stored.id,
                            None,
                            LifecycleState::Cancelled,
                            None,
                            0,
                        );
                        ended.fetch_add(usize::from(cancelled.is_ok()), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let rows = index.in_flight(None, 0);
    let keys: HashSet<_> =
        rows.iter().map(|row| (row.org().map(str::to_owned), row.content_hash)).collect();
    assert_eq!(keys.len(), rows.len());
    assert_eq!(index.len(), rows.len());
    assert_eq!(won.into_inner() - ended.into_inner(), rows.len());
}
