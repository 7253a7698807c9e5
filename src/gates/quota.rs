//! One table of gates: quotas of keys, budgets of events, fire-once keys, and their counts.

use super::GateError;
use super::atomics::Ordering;
use super::clock::SECOND;
use super::directory::Directory;
use super::key::{KeyHash, KeyHasher, Secret, mix};
use super::label::Named;
use super::limit::{Judgement, Limit, State};
use super::memory::Carver;
use super::occurrence::Occurrence;
use super::table::{Counter, Shape, Table};
use super::tally::{MOST, Pending};
use super::verdict::{Reason, Verdict};

const WAYS: usize = 4;
/// Fire-once keys and budgets must not lose their slot below the capacity, so their sets are wide and
/// half full.
const WIDE_WAYS: usize = 64;
/// Budgets are few: one an event, or one an event and tenant.
const BUDGETS: usize = 4096;

/// The emissions that all keys of an event may make together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// The larger of 600 in 60 s and the event's own rate.
    Default,
    /// So many in so many nanoseconds.
    Of(u64, u64),
    /// No bound: attacker-chosen keys can then emit without end.
    Unlimited,
}

/// An event and its bounds. Gates that share name, policy and tenancy share the state of each key,
/// whatever their limits: a call is judged by the limits of its own gate.
#[derive(Clone, Copy, Debug)]
pub struct EventSpec<'a> {
    /// A constant in code.
    pub name: &'a str,
    /// The policy by name, so that two policies never share a key's state.
    pub policy: &'static str,
    /// Emissions and nanoseconds of the event's own rate; `None` where each call brings its own.
    pub rate: Option<(u64, u64)>,
    /// Whether each tenant has keys and a budget of its own.
    pub per_tenant: bool,
    /// The bound over all its keys.
    pub budget: Budget,
}

/// An event of one table.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    pub(super) place: u32,
    hash: u64,
    seed: u128,
    budget: Option<Limit>,
}

impl Event {
    /// Where it stands in the directory.
    pub const fn place(&self) -> u32 {
        self.place
    }

    /// Its part of each key's hash.
    pub const fn hash(&self) -> u64 {
        self.hash
    }
}

/// A table of gates.
pub struct Gates {
    pub(super) quotas: Table<State>,
    pub(super) occurrences: Table<Occurrence>,
    pub(super) directory: Directory,
    budgets: Table<State>,
    hasher: KeyHasher,
}

impl Gates {
    /// A table of `max_keys` keys in memory of this process.
    pub fn private(max_keys: usize) -> Result<Self, GateError> {
        let length = Self::bytes(max_keys)?;
        let carver = Carver::private(length).map_err(|why| GateError::Limit {
            field: "max_keys",
            problem: "must fit in memory",
            given: format!("{max_keys} ({why})"),
        })?;
        Self::carve(carver, max_keys, Secret::random())
    }

    /// The same table, in which the count of one key stays at `most` between two reports.
    pub fn counting_to(mut self, most: u64) -> Result<Self, GateError> {
        if !(1..=MOST).contains(&most) {
            return Err(GateError::Limit {
                field: "max_count",
                problem: "must be from 1 to 2**44 - 1",
                given: most.to_string(),
            });
        }
        self.quotas.tallies.most = most;
        self.occurrences.tallies.most = most;
        Ok(self)
    }

    /// The bytes that a table of `max_keys` keys takes when every page of it is in use.
    pub fn bytes(max_keys: usize) -> Result<usize, GateError> {
        require_keys(max_keys)?;
        let mut measuring = Carver::measuring();
        // Without a region there is nothing to build: only the lengths are wanted.
        let _ = Self::cut(&mut measuring, max_keys, Secret::public());
        Ok(measuring.len())
    }

    pub(super) fn carve(
        mut carver: Carver,
        max_keys: usize,
        secret: Secret,
    ) -> Result<Self, GateError> {
        require_keys(max_keys)?;
        Self::cut(&mut carver, max_keys, secret).ok_or(GateError::Limit {
            field: "max_keys",
            problem: "must fit in the region",
            given: max_keys.to_string(),
        })
    }

    fn cut(carver: &mut Carver, max_keys: usize, secret: Secret) -> Option<Self> {
        let directory = Directory::carve(carver);
        let quotas = Table::carve(carver, narrow(max_keys));
        let budgets = Table::carve(carver, wide(max_keys.clamp(WAYS, BUDGETS)));
        let occurrences = Table::carve(carver, wide(max_keys));
        Some(Self {
            directory: directory?,
            quotas: quotas?,
            budgets: budgets?,
            occurrences: occurrences?,
            hasher: KeyHasher::new(secret),
        })
    }

    /// The secret under which keys of this table are digested.
    pub const fn secret(&self) -> &Secret {
        self.hasher.secret()
    }

    /// The key of a rate-limited event's subkey, in UTF-8; `tenant` is the hash of the tenant, or 0 where
    /// keys are not separate for each.
    #[allow(clippy::inline_always)] // every call of a gate begins with it
    #[inline(always)]
    pub fn key(&self, event: &Event, tenant: u64, subkey: Option<&[u8]>) -> KeyHash {
        self.hasher.key(event.seed, tenant, subkey)
    }

    /// The hash of a tenant.
    pub fn tenant_hash(&self, tenant: &[u8]) -> u64 {
        self.hasher.key(0, 0, Some(tenant)).place
    }

    /// Enters an event, or finds the one of the same definition.
    pub fn event(&self, spec: &EventSpec<'_>) -> Result<Event, GateError> {
        let budget = spec.budget.limit(spec.rate)?;
        let tenancy = [u8::from(spec.per_tenant)];
        let digest =
            Secret::public().digest(&[spec.name.as_bytes(), spec.policy.as_bytes(), &tenancy]);
        let place = self.directory.enter(digest.place, spec.name)?;
        let seed = self.hasher.seed(digest.place);
        Ok(Event { place, hash: digest.place, seed, budget })
    }

    /// Whether one emission of `key` may happen; it is counted.
    #[allow(clippy::inline_always)] // its arguments have more words than there are registers
    #[inline(always)]
    pub fn allow(
        &self,
        event: &Event,
        limit: &Limit,
        key: KeyHash,
        tenant: u64,
        name: &impl Named,
        now: u64,
    ) -> bool {
        !self.denies_again(limit, key, now)
            && self.decide(event, limit, key, tenant, name, now).allowed()
    }

    /// Denies one more call of a key that its limit is suppressing, and counts it: what a flood is made of.
    /// False, with nothing done, if anything is otherwise.
    #[allow(clippy::inline_always)] // a handful of instructions, a hundred times a millisecond
    #[inline(always)]
    fn denies_again(&self, limit: &Limit, key: KeyHash, now: u64) -> bool {
        let Some(slot) = self.quotas.find(key) else { return false };
        let Some(state) = self.quotas.record(slot) else { return false };
        state.muted
            && matches!(limit.judge(Some(state), now), Judgement::Deny(..))
            && self.quotas.tallies.add_again(slot.index, slot.word, now)
    }

    /// Decides on one emission of `key`, and counts it.
    #[inline(never)] // beside the flood's way, so that this one stays short
    pub fn decide(
        &self,
        event: &Event,
        limit: &Limit,
        key: KeyHash,
        tenant: u64,
        name: &impl Named,
        now: u64,
    ) -> Verdict {
        let displaced = |event, count| self.directory.displaced(event, count);
        loop {
            let Some(slot) = self
                .quotas
                .find(key)
                .or_else(|| self.quotas.enter(key, limit.span(), now, &displaced))
            else {
                return self.decide_untracked(event, limit, tenant, now);
            };
            let Some(judged) = self.quotas.update(slot, |state| judge(limit, state, now)) else {
                continue;
            };
            let verdict = match judged {
                Judged::Denied(verdict) => verdict,
                Judged::Allowed { before, after } => {
                    self.quotas.set_span(slot, limit.span());
                    match self.spend(event, tenant, now) {
                        Ok(()) => {
                            self.directory.emitted(event.place);
                            return Verdict { reason: Reason::Allowed, retry_at: Some(now) };
                        }
                        Err(retry_at) => {
                            self.quotas
                                .restore(slot, |current| limit.refund(before, after, current));
                            Verdict::denied(Reason::Budget, retry_at)
                        }
                    }
                }
            };
            if !self.quotas.suppress(slot, now, name, &displaced) {
                self.directory.displaced(event.place, 1);
            }
            return verdict;
        }
    }

    /// What `key` has had suppressed since somebody was last told.
    pub fn pending(&self, key: KeyHash) -> Pending {
        self.quotas.pending(key)
    }

    /// Hands over what `key` has had suppressed, once.
    pub fn take_pending(&self, key: KeyHash) -> Pending {
        self.told(self.quotas.take_pending(key))
    }

    /// Forgets every key; counts not yet reported stay with their events.
    pub fn clear(&self, now: u64) {
        let displaced = |event, count| self.directory.displaced(event, count);
        self.quotas.clear(now, &displaced);
        self.budgets.clear(now, &displaced);
        self.occurrences.clear(now, &displaced);
    }

    /// A key whose whole set is suppressing has no slot: only the event's budget judges it.
    #[cold]
    fn decide_untracked(&self, event: &Event, limit: &Limit, tenant: u64, now: u64) -> Verdict {
        self.quotas.counter(Counter::Untracked).fetch_add(1, Ordering::Relaxed);
        let verdict = if limit.mutes() {
            Verdict::denied(Reason::Muted, None)
        } else {
            match self.spend(event, tenant, now) {
                Ok(()) => Verdict { reason: Reason::Allowed, retry_at: Some(now) },
                Err(retry_at) => Verdict::denied(Reason::Budget, retry_at),
            }
        };
        if verdict.allowed() {
            self.directory.emitted(event.place);
        } else {
            self.directory.displaced(event.place, 1);
        }
        verdict
    }

    /// Takes one emission from the budget of the event and tenant, or says when there will be one.
    fn spend(&self, event: &Event, tenant: u64, now: u64) -> Result<(), Option<u64>> {
        const OVERFLOW: u64 = 0x6F76_6572_666C_6F77;
        let Some(limit) = &event.budget else { return Ok(()) };
        // A tenant whose set is full of exhausted budgets shares one with others in that plight.
        [tenant, OVERFLOW]
            .into_iter()
            .find_map(|tenant| self.spend_as(event, limit, tenant, now))
            .unwrap_or(Err(None))
    }

    fn spend_as(
        &self,
        event: &Event,
        limit: &Limit,
        tenant: u64,
        now: u64,
    ) -> Option<Result<(), Option<u64>>> {
        let key = KeyHash { place: mix(event.hash, tenant), rest: mix(tenant, event.hash) };
        loop {
            let slot = self
                .budgets
                .find(key)
                .or_else(|| self.budgets.enter(key, limit.span(), now, &|_, _| ()))?;
            match self.budgets.update(slot, |state| judge(limit, state, now)) {
                Some(Judged::Allowed { .. }) => return Some(Ok(())),
                Some(Judged::Denied(verdict)) => return Some(Err(verdict.retry_at)),
                None => {}
            }
        }
    }
}

enum Judged {
    Allowed { before: Option<State>, after: State },
    Denied(Verdict),
}

/// Judges one call, and marks the key as suppressing the first time its own limit denies one.
#[inline]
fn judge(limit: &Limit, state: Option<State>, now: u64) -> (Option<State>, Judged) {
    match limit.judge(state, now) {
        Judgement::Allow(after) => (Some(after), Judged::Allowed { before: state, after }),
        Judgement::Deny(reason, retry_at) => {
            let unmarked = state.filter(|state| !state.muted && reason == Reason::Limit);
            let marked = unmarked.map(|state| State { muted: true, ..state });
            (marked, Judged::Denied(Verdict::denied(reason, retry_at)))
        }
    }
}

impl Budget {
    fn limit(self, own: Option<(u64, u64)>) -> Result<Option<Limit>, GateError> {
        const USUAL: (u64, u64) = (600, 60 * SECOND);
        let (max, span) = match self {
            Self::Unlimited => return Ok(None),
            Self::Of(max, span) => (max, span),
            Self::Default => own.filter(|own| is_faster(*own, USUAL)).unwrap_or(USUAL),
        };
        Limit::window(max, span).map(Some)
    }
}

fn is_faster((max, span): (u64, u64), (other_max, other_span): (u64, u64)) -> bool {
    u128::from(max) * u128::from(other_span) > u128::from(other_max) * u128::from(span)
}

fn narrow(max_keys: usize) -> Shape {
    Shape { sets: (max_keys / WAYS).max(1), ways: max_keys.min(WAYS), whole_digest: false }
}

fn wide(max_keys: usize) -> Shape {
    if max_keys <= WIDE_WAYS {
        return Shape { sets: 1, ways: max_keys, whole_digest: true };
    }
    Shape { sets: (2 * max_keys).div_ceil(WIDE_WAYS), ways: WIDE_WAYS, whole_digest: true }
}

fn require_keys(max_keys: usize) -> Result<(), GateError> {
    /// 2^26 keys take about 30 GB; a larger number is a mistake.
    const MOST: usize = 1 << 26;
    if (1..=MOST).contains(&max_keys) {
        return Ok(());
    }
    Err(GateError::Limit {
        field: "max_keys",
        problem: "must be from 1 to 67,108,864",
        given: max_keys.to_string(),
    })
}
