//! Frames against a model that never forgets an ancestor, over random contexts, copies and exits.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use std::sync::{Arc, Weak};

use interlock::tenancy::frame::{Frame, Link, Successor, exit, permit_use};
use interlock::tenancy::org::OrgId;
use interlock::tenancy::rules::{Authority, Refusal, Subject};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone)]
struct Shared(Arc<Frame<Shared>>);

impl Link for Shared {
    fn frame(&self) -> &Frame<Self> {
        &self.0
    }
    fn share(&self) -> Self {
        self.clone()
    }
    fn is_last(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

fn tenant(org: &str) -> Subject {
    Subject::Tenant(OrgId::parse(org).unwrap())
}

fn enter(current: Option<&Shared>, subject: Subject) -> Result<Shared, Refusal> {
    Frame::enter(current, subject, Authority::Ordinary).map(|frame| Shared(Arc::new(frame)))
}

// --- the model

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    A,
    B,
    Admin,
}

impl Who {
    fn subject(self) -> Subject {
        match self {
            Self::A => tenant("a"),
            Self::B => tenant("b"),
            Self::Admin => Subject::PreResolution,
        }
    }
}

/// Frames are numbered; nothing is ever removed, and a chain is walked to its very root.
#[derive(Default)]
struct Model {
    who: Vec<Who>,
    alive: Vec<bool>,
    parent: Vec<Option<usize>>,
}

impl Model {
    /// The table of the documentation, row by row.
    fn verdict(&self, current: Option<usize>, who: Who, authority: Authority) -> Option<Refusal> {
        let current = current?;
        if !self.alive[current] {
            return Some(Refusal::Ended);
        }
        match (self.who[current], who) {
            (Who::Admin, _) | (Who::A, Who::A) | (Who::B, Who::B) => None,
            (Who::A | Who::B, Who::Admin) => {
                (authority == Authority::Ordinary).then_some(Refusal::Escalation)
            }
            (Who::A, Who::B) | (Who::B, Who::A) => Some(Refusal::OtherTenant),
        }
    }

    fn ancestors(&self, frame: usize) -> Vec<usize> {
        std::iter::successors(self.parent[frame], |frame| self.parent[*frame]).collect()
    }

    /// What is current in a context standing in `current` once `frame` was left there.
    fn exit(&mut self, frame: usize, current: Option<usize>) -> Option<usize> {
        self.alive[frame] = false;
        let inside = current.is_some_and(|current| self.ancestors(current).contains(&frame));
        if current != Some(frame) && !inside {
            return current;
        }
        if inside && self.alive[current.unwrap()] {
            // Left in the order of entry: the frames inside it are now inside its parent.
            for inner in [vec![current.unwrap()], self.ancestors(current.unwrap())].concat() {
                if self.parent[inner] == Some(frame) {
                    self.parent[inner] = self.parent[frame];
                }
            }
            return current;
        }
        let chain = self.ancestors(frame);
        let living = chain.iter().position(|ancestor| self.alive[*ancestor])?;
        let successor = self.who[chain[living]];
        let handed = |dead: &usize| self.who[*dead] != Who::Admin && self.who[*dead] != successor;
        if chain[..living].iter().any(handed) {
            return current; // a tenant's task does not become the administrator, or another tenant
        }
        Some(chain[living])
    }

    fn use_verdict(&self, owner: usize, current: Option<usize>) -> Option<Refusal> {
        if !self.alive[owner] {
            return Some(Refusal::Ended);
        }
        let Some(current) = current else { return Some(Refusal::Missing) };
        if current == owner {
            return None;
        }
        if !self.alive[current] {
            return Some(Refusal::Ended);
        }
        let inside = self.ancestors(current).contains(&owner);
        let same = self.who[owner] == self.who[current] && self.who[owner] != Who::Admin;
        (!(inside && same)).then_some(Refusal::OtherFrame)
    }
}

// --- random histories

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter { context: usize, who: Who, authority: Authority },
    Exit { context: usize, frame: usize },
    ExitCurrent { context: usize },
    Copy { context: usize },
    FreshContext,
    Forget { context: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = prop_oneof![3 => Just(Who::A), 2 => Just(Who::Admin), 1 => Just(Who::B)];
    let authority = prop_oneof![5 => Just(Authority::Ordinary), 1 => Just(Authority::BreakGlass)];
    let step = prop_oneof![
        6 => (any::<usize>(), who, authority)
            .prop_map(|(context, who, authority)| Step::Enter { context, who, authority }),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(context, frame)| Step::Exit { context, frame }),
        4 => any::<usize>().prop_map(|context| Step::ExitCurrent { context }),
        2 => any::<usize>().prop_map(|context| Step::Copy { context }),
        1 => Just(Step::FreshContext),
        1 => any::<usize>().prop_map(|context| Step::Forget { context }),
    ];
    vec(step, 1..60)
}

#[derive(Default)]
struct World {
    model: Model,
    frames: Vec<Shared>,
    // One entry a context: what the implementation and the model say is current.
    contexts: Vec<(Option<Shared>, Option<usize>)>,
}

impl World {
    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::FreshContext => self.contexts.push((None, None)),
            Step::Copy { context } => {
                let copy = self.contexts[context % self.contexts.len()].clone();
                self.contexts.push(copy);
            }
            Step::Forget { context } => {
                let context = context % self.contexts.len();
                self.contexts[context] = (None, None);
            }
            Step::Enter { context, who, authority } => {
                let context = context % self.contexts.len();
                self.enter(context, who, authority)?;
            }
            Step::Exit { context, frame } if !self.frames.is_empty() => {
                self.exit(context % self.contexts.len(), frame % self.frames.len());
            }
            Step::ExitCurrent { context } => {
                let context = context % self.contexts.len();
                if let Some(current) = self.contexts[context].1 {
                    self.exit(context, current);
                }
            }
            Step::Exit { .. } => {}
        }
        self.agree()
    }

    fn enter(
        &mut self,
        context: usize,
        who: Who,
        authority: Authority,
    ) -> Result<(), TestCaseError> {
        let (current, modelled) = self.contexts[context].clone();
        let entered = Frame::enter(current.as_ref(), who.subject(), authority);
        prop_assert_eq!(
            entered.as_ref().err().copied(),
            self.model.verdict(modelled, who, authority)
        );
        if let Ok(frame) = entered {
            let frame = Shared(Arc::new(frame));
            self.frames.push(frame.clone());
            self.model.who.push(who);
            self.model.alive.push(true);
            self.model.parent.push(modelled);
            self.contexts[context] = (Some(frame), Some(self.frames.len() - 1));
        }
        Ok(())
    }

    fn exit(&mut self, context: usize, frame: usize) {
        if !self.model.alive[frame] {
            return; // a block is left once
        }
        let (current, modelled) = self.contexts[context].clone();
        let current = match exit(&self.frames[frame], current.as_ref()) {
            Successor::Unchanged => current,
            Successor::Becomes(successor) => successor,
        };
        self.contexts[context] = (current, self.model.exit(frame, modelled));
    }

    fn agree(&self) -> Result<(), TestCaseError> {
        for (current, modelled) in &self.contexts {
            match (current, modelled) {
                (None, None) => {}
                (Some(current), Some(modelled)) => {
                    prop_assert!(current.is(&self.frames[*modelled]));
                }
                _ => prop_assert!(false, "one says unscoped, the other does not"),
            }
            for (number, owner) in self.frames.iter().enumerate() {
                prop_assert_eq!(owner.frame().is_alive(), self.model.alive[number]);
                let verdict = permit_use(owner, current.as_ref()).err();
                prop_assert_eq!(verdict, self.model.use_verdict(number, *modelled));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn frames_agree_with_a_model_that_forgets_nothing(steps in steps()) {
        let mut world = World::default();
        world.contexts.push((None, None));
        for step in steps {
            world.step(step)?;
        }
    }

    /// Whatever a task that was handed a tenant's scope does without a capability, it never stands in
    /// a scope around that tenant.
    #[test]
    fn a_copied_tenant_context_stays_with_its_tenant(
        around in vec(any::<bool>(), 1..4),
        inside in 1..4usize,
        moves in vec((any::<bool>(), any::<usize>(), any::<Option<usize>>()), 0..16),
    ) {
        let mut outer: Vec<Shared> = Vec::new();
        for admin in around {
            let subject = if admin { Subject::PreResolution } else { tenant("b") };
            let entered = Frame::enter(outer.last(), subject, Authority::BreakGlass);
            outer.extend(entered.map(|frame| Shared(Arc::new(frame))));
        }
        if *outer.last().unwrap().frame().subject() == tenant("b") {
            let entered = Frame::enter(outer.last(), Subject::PreResolution, Authority::BreakGlass);
            outer.push(Shared(Arc::new(entered.unwrap())));
        }
        for _ in 0..inside {
            outer.push(enter(outer.last(), tenant("a")).unwrap());
        }
        let mut current = outer.last().cloned();
        let mut mine: Vec<Shared> = Vec::new();
        for (go_in, which, ends) in moves {
            if let Some(ends) = ends {
                let ended = &outer[ends % outer.len()];
                exit(ended, Some(ended)); // in its own context
            }
            if go_in {
                if let Ok(entered) = enter(current.as_ref(), tenant("a")) {
                    current = Some(entered.clone());
                    mine.push(entered);
                }
            } else if !mine.is_empty() {
                let left = mine.remove(which % mine.len());
                if let Successor::Becomes(successor) = exit(&left, current.as_ref()) {
                    current = successor;
                }
            }
            if let Some(current) = &current {
                prop_assert!(*current.frame().subject() == tenant("a"));
            }
        }
    }
}

#[test]
fn a_task_that_starts_its_successor_inside_its_scope_keeps_no_history() {
    for root in [None, Some(enter(None, Subject::PreResolution).unwrap())] {
        let mut current = enter(root.as_ref(), tenant("a")).unwrap();
        let mut history: Vec<Weak<Frame<Shared>>> = Vec::new();
        for _ in 0..1000 {
            let next = enter(Some(&current), tenant("a")).unwrap();
            exit(&current, Some(&current));
            history.push(Arc::downgrade(&current.0));
            current = next;
        }
        let kept = history.iter().filter(|frame| frame.upgrade().is_some()).count();
        assert!(kept <= 2, "{kept} dead frames are kept");
    }
}

#[test]
fn a_long_chain_is_freed_without_recursion() {
    let mut innermost = enter(None, tenant("a")).unwrap();
    for _ in 0..500_000 {
        innermost = enter(Some(&innermost), tenant("a")).unwrap();
    }
    drop(innermost);
}

#[test]
fn a_freed_frame_leaves_the_chain_of_its_siblings_whole() {
    let outer = enter(None, tenant("a")).unwrap();
    let middle = enter(Some(&outer), tenant("a")).unwrap();
    let (one, other) =
        (enter(Some(&middle), tenant("a")).unwrap(), enter(Some(&middle), tenant("a")).unwrap());
    drop((one, middle));
    assert!(permit_use(&outer, Some(&other)).is_ok());
}
