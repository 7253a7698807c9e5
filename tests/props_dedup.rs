//! The index against a list that is scanned from end to end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::single_match_else)] // a test stops at the first surprise

use std::collections::VecDeque;

use interlock::dedup::identity::identity;
use interlock::dedup::{Candidate, Entry, Id, Index, IndexError, LifecycleState, Reason, Settings};
use proptest::prelude::*;

const ORGS: [Option<&str>; 3] = [None, Some("a"), Some("b")];

#[derive(Debug, Clone)]
enum Step {
    Propose { org: usize, content: u8, former: Option<u8> },
    Transition { nth: usize, org: usize, to: usize, attempt: Option<u32> },
    Wait(i64),
    Expire,
    Restore,
}

/// A few contents: two spellings of one action on each of two targets, and one without a target.
fn keys_of(content: u8) -> Vec<String> {
    match content {
        0 | 1 => vec!["stop:web".into()],
        2 => vec!["start:web".into(), "start:db".into()],
        3 => vec!["stop:db".into(), "stop:web".into()],
        _ => Vec::new(),
    }
}

#[derive(Debug, Clone)]
struct Row {
    id: Id,
    org: Option<&'static str>,
    content: u8,
    state: LifecycleState,
    attempt: u32,
    seen: u64,
    lease_until: Option<i64>,
    ended: i64,
}

#[derive(Debug)]
struct Model {
    settings: Settings,
    // In flight or remembered.
    rows: Vec<Row>,
    ended: VecDeque<Id>,
}

impl Model {
    fn row(&mut self, id: Id) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.id == id)
    }

    fn in_flight(&self) -> usize {
        self.rows.iter().filter(|row| row.state.in_flight()).count()
    }

    fn move_to(&mut self, id: Id, to: LifecycleState, now: i64) {
        let lease = self.settings.lease;
        let remembered = self.settings.capacity;
        let Some(row) = self.row(id) else { return };
        row.state = to;
        row.attempt += u32::from(to == LifecycleState::Executing);
        row.lease_until =
            lease.filter(|_| to == LifecycleState::Executing).map(|lease| now + lease);
        if !to.in_flight() {
            row.ended = now;
            self.ended.push_back(id);
            while self.ended.len() > remembered {
                let oldest = self.ended.pop_front();
                self.rows.retain(|row| Some(row.id) != oldest);
            }
        }
    }

    fn lapse(&mut self, now: i64, only: impl Fn(&Row) -> bool) -> Vec<Id> {
        let lapsed = |row: &&Row| row.lease_until.is_some_and(|until| until <= now) && only(row);
        let mut rows: Vec<Row> = self.rows.iter().filter(lapsed).cloned().collect();
        rows.sort_by_key(|row| row.lease_until);
        for row in &rows {
            self.move_to(row.id, row.state.lapsed(), now);
        }
        rows.iter().map(|row| row.id).collect()
    }

    /// What the index must answer, or None if it is full.
    fn propose(
        &mut self,
        org: Option<&'static str>,
        content: u8,
        former: Option<u8>,
        now: i64,
    ) -> Option<(Reason, Option<Id>)> {
        let contents: Vec<u8> = std::iter::once(content).chain(former).collect();
        let cooldown = self.settings.cooldown;
        let cools = |row: &Row| {
            row.state.cools_down() && cooldown.is_some_and(|cooldown| now < row.ended + cooldown)
        };
        for (reason, counts) in [
            (Reason::InFlight, &(|row: &Row| row.state.in_flight()) as &dyn Fn(&Row) -> bool),
            (Reason::Cooldown, &cools),
        ] {
            for &content in &contents {
                let same = |row: &Row| row.org == org && row.content == content;
                self.lapse(now, same);
                if let Some(row) = self.rows.iter_mut().find(|row| same(row) && counts(row)) {
                    row.seen += 1;
                    return Some((reason, Some(row.id)));
                }
            }
        }
        if self.in_flight() >= self.settings.capacity {
            self.lapse(now, |_| true);
        }
        (self.in_flight() < self.settings.capacity).then_some((Reason::New, None))
    }

    fn neighbours(&self, own: Id, org: Option<&str>, content: u8, now: i64) -> (Vec<Id>, Vec<Id>) {
        let target = |key: &String| key.split_once(':').map(|(_, target)| target.to_owned());
        let keys = keys_of(content);
        let targets: Vec<_> = keys.iter().map(target).collect();
        let mut found = (Vec::new(), Vec::new());
        for row in &self.rows {
            let expired = row.state == LifecycleState::Pending
                && row.lease_until.is_some_and(|until| until <= now);
            if row.id == own || row.org != org || !row.state.in_flight() || expired {
                continue;
            }
            let theirs = keys_of(row.content);
            if theirs.iter().any(|key| keys.contains(key)) {
                found.0.push(row.id);
            } else if theirs.iter().any(|key| targets.contains(&target(key))) {
                found.1.push(row.id);
            }
        }
        found
    }
}

fn hash_of(content: u8) -> [u8; 32] {
    *identity(&[content], None).bytes()
}

fn ids(entries: &[Entry]) -> Vec<Id> {
    entries.iter().map(|entry| entry.id).collect()
}

fn step() -> impl Strategy<Value = Step> {
    let attempt = prop_oneof![Just(None), (0..4_u32).prop_map(Some)];
    prop_oneof![
        6 => (0..3_usize, 0..5_u8, proptest::option::weighted(0.2, 0..5_u8))
            .prop_map(|(org, content, former)| Step::Propose { org, content, former }),
        6 => (any::<usize>(), 0..3_usize, 0..7_usize, attempt)
            .prop_map(|(nth, org, to, attempt)| Step::Transition { nth, org, to, attempt }),
        2 => (1..8_i64).prop_map(Step::Wait),
        1 => Just(Step::Expire),
        1 => Just(Step::Restore),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    (proptest::option::of(1..40_i64), proptest::option::of(1..40_i64), 1..12_usize)
        .prop_map(|(lease, cooldown, capacity)| Settings { lease, cooldown, capacity })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn agrees_with_a_list(settings in settings(), steps in prop::collection::vec(step(), 1..80)) {
        let mut index = Index::new(settings);
        let mut model = Model { settings, rows: Vec::new(), ended: VecDeque::new() };
        let mut known: Vec<Id> = Vec::new();
        // Every step takes a moment, so that no two leases lapse at once.
        let mut now = 0;
        for step in steps {
            now += 1;
            match step {
                Step::Wait(moments) => now += moments,
                Step::Expire => {
                    let mut expected = model.lapse(now, |_| true);
                    let mut lapsed = ids(&index.expire(now));
                    expected.sort();
                    lapsed.sort();
                    prop_assert_eq!(lapsed, expected);
                }
                Step::Restore => {
                    let bytes = index.snapshot().expect("a snapshot of any index");
                    index = Index::restored(settings, &bytes).expect("its own snapshot");
                }
                Step::Propose { org, content, former } => {
                    let org = ORGS[org];
                    let hash = hash_of(content);
                    let former_hash = former.map(hash_of);
                    let candidate = Candidate {
                        org, kind: "shell", content_hash: &hash, former_hash: former_hash.as_ref(), cmd_hash: [content; 6],
                        display_id: Some("label"),
                    };
                    let decided = index.propose(candidate, || keys_of(content), now);
                    let Some((reason, into)) = model.propose(org, content, former, now) else {
                        prop_assert_eq!(decided.err(), Some(IndexError::Full { capacity: settings.capacity }));
                        continue;
                    };
                    let decision = decided.expect("there is room");
                    prop_assert_eq!(decision.reason, reason);
                    let id = decision.stored.id;
                    if let Some(into) = into {
                        prop_assert_eq!(id, into);
                        prop_assert_eq!(Some(decision.stored.seen_count), model.row(id).map(|row| row.seen));
                        prop_assert!(decision.cluster.is_empty() && decision.related.is_empty());
                    } else {
                        prop_assert!(!known.contains(&id));
                        known.push(id);
                        model.rows.push(Row {
                            id, org, content, state: LifecycleState::Pending, attempt: 0, seen: 1,
                            lease_until: settings.lease.map(|lease| now + lease), ended: 0,
                        });
                        let (cluster, related) = model.neighbours(id, org, content, now);
                        prop_assert_eq!(ids(&decision.cluster), cluster);
                        prop_assert_eq!(ids(&decision.related), related);
                    }
                }
                Step::Transition { nth, org, to, attempt } => {
                    let to = LifecycleState::ALL[to];
                    let id = if known.is_empty() { Id::from_bits(7) } else { known[nth % known.len()] };
                    let sees = |row: &Row| ORGS[org].is_none() || row.org == ORGS[org];
                    model.lapse(now, |row| row.id == id);
                    let expected = match model.row(id).filter(|row| sees(row)).map(|row| row.clone()) {
                        None => Err(IndexError::Unknown),
                        Some(Row { state: from, attempt: current, .. }) => match attempt {
                            Some(attempt) if attempt != current => Err(IndexError::Stale { attempt, current, from, to }),
                            _ if from.may_become(to) => Ok(to),
                            _ => Err(IndexError::Illegal { from, to }),
                        }
                    };
                    if expected.is_ok() {
                        model.move_to(id, to, now);
                    }
                    let moved = index.transition(id, ORGS[org], to, attempt, now);
                    prop_assert_eq!(moved.map(|entry| entry.state), expected);
                }
            }
            prop_assert_eq!(index.len(), model.in_flight());
            for id in &known {
                let found = index.get(*id, None, now);
                let expected = model.row(*id).map(|row| {
                    let lapsed = row.lease_until.is_some_and(|until| until <= now);
                    (if lapsed { row.state.lapsed() } else { row.state }, row.attempt, row.seen)
                });
                prop_assert_eq!(found.map(|entry| (entry.state, entry.attempt, entry.seen_count)), expected);
            }
        }
    }

    #[test]
    fn hostile_snapshots_are_refused_or_held(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let settings = Settings { lease: None, cooldown: None, capacity: 8 };
        prop_assert!(matches!(Index::restored(settings, &bytes), Err(IndexError::Snapshot(_))));
    }

    #[test]
    fn context_never_collides_with_a_canonical_form(
        form in prop::collection::vec(1..=255_u8, 0..40), context in prop::collection::vec(1..=255_u8, 0..40),
        other in prop::collection::vec(1..=255_u8, 0..40), other_context in prop::option::of(prop::collection::vec(1..=255_u8, 0..40)),
    ) {
        let same = form == other && Some(&context) == other_context.as_ref();
        prop_assert_eq!(identity(&form, Some(&context)) == identity(&other, other_context.as_deref()), same);
    }
}

#[test]
fn the_lifecycle_has_these_transitions_and_no_other() {
    use LifecycleState::{Cancelled, Completed, Executing, Expired, Failed, Interrupted, Pending};
    let allowed = [
        (Pending, Executing),
        (Pending, Cancelled),
        (Pending, Expired),
        (Executing, Completed),
        (Executing, Failed),
        (Executing, Interrupted),
        (Interrupted, Executing),
        (Interrupted, Failed),
        (Interrupted, Cancelled),
    ];
    for from in LifecycleState::ALL {
        for to in LifecycleState::ALL {
            assert_eq!(from.may_become(to), allowed.contains(&(from, to)), "{from} to {to}");
        }
    }
}

/// What ended takes no place among the neighbours that are shown.
#[test]
fn a_target_that_many_left_shows_who_is_there() {
    let index = Index::new(Settings { lease: None, cooldown: None, capacity: 8 });
    let propose = |content: u8| {
        let hash = hash_of(content);
        let candidate = Candidate {
            org: None,
            kind: "shell",
            content_hash: &hash,
            former_hash: None,
            cmd_hash: [0; 6],
            display_id: None,
        };
        index.propose(candidate, || ["stop:web"], 0).unwrap()
    };
    for content in 0..200 {
        let id = propose(content).stored.id;
        index.transition(id, None, LifecycleState::Cancelled, None, 0).unwrap();
    }
    let there = propose(200).stored.id;
    assert_eq!(ids(&propose(201).cluster), [there]);
}
