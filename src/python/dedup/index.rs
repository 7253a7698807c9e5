//! Binds the index.

use parking_lot::RwLock;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};
use std::sync::Arc;

use super::arguments::{Clock, OrgArgument, capacity, nanoseconds};
use super::decision::{DedupDecision, stored_proposal, stored_proposals};
use super::proposal::Proposal;
use crate::dedup::{Candidate, Id, Index, IndexError, LifecycleState, Settings};
use crate::python::errors;

/// In flight at most, unless the owner says otherwise.
const DEFAULT_CAPACITY: usize = 1 << 22;

/// Proposals in flight in this process: equal ones collapse while one is pending, executing or interrupted.
///
/// Any number of threads may use it. Memory is bounded: entries in flight are never evicted, so a full index raises
/// `DedupIndexFull`; of the ended ones, those that ended earliest are forgotten first.
///
/// `lease`: how long an entry may be pending or executing, in seconds or as a timedelta; None for ever.
/// `cooldown`: how long a completed or cancelled entry still suppresses equal ones; None for not at all.
/// `capacity`: how many may be in flight, 4,194,304 if None.
/// `clock`: a `ManualClock`, or a callable that returns integer nanoseconds; None for the system's.
///
/// `org_id` is that of the current scope unless given, and never another one than that of a tenant scope.
#[pyclass(frozen, module = "interlock.dedup")]
pub(in crate::python) struct DedupIndex {
    settings: Settings,
    clock: Clock,
    // Replaced as a whole by `restore`.
    index: RwLock<Arc<Index>>,
}

#[pymethods]
impl DedupIndex {
    #[new]
    #[pyo3(signature = (*, lease = None, cooldown = None, capacity = None, clock = None))]
    fn new(
        lease: Option<&Bound<'_, PyAny>>,
        cooldown: Option<&Bound<'_, PyAny>>,
        capacity: Option<&Bound<'_, PyAny>>,
        clock: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let settings = Settings {
            lease: lease.map(|lease| nanoseconds("lease", lease)).transpose()?,
            cooldown: cooldown.map(|cooldown| nanoseconds("cooldown", cooldown)).transpose()?,
            capacity: capacity.map_or(Ok(DEFAULT_CAPACITY), self::capacity)?,
        };
        let index = RwLock::new(Arc::new(Index::new(settings)));
        Ok(Self { settings, clock: Clock::from_argument(clock)?, index })
    }

    /// Holds a proposal unless an equal one is in flight or cooling down, and says which.
    ///
    /// `formerly` is the same action as an earlier release described it, which gave it another identity: it is a
    /// duplicate under either.
    ///
    /// Raises `DedupIndexFull`, `ScopeMissing` in `pre_org_resolution_scope`, which is no org, and `ValueError` if
    /// `formerly` is of another kind.
    #[pyo3(
        signature = (proposal, *, formerly = None, org_id = OrgArgument::Current),
        text_signature = "($self, proposal, *, formerly=None, org_id=...)"
    )]
    fn propose(
        &self,
        py: Python<'_>,
        proposal: &Bound<'_, Proposal>,
        formerly: Option<&Bound<'_, Proposal>>,
        org_id: OrgArgument<'_>,
    ) -> PyResult<DedupDecision> {
        let proposal = proposal.get();
        let former = formerly.map(Bound::get);
        if former.is_some_and(|former| former.kind != proposal.kind) {
            return Err(PyValueError::new_err("formerly is of another kind than the proposal"));
        }
        let org = org_id.proposer(py)?;
        let mut cmd_hash = [0; 6];
        cmd_hash.copy_from_slice(&proposal.cmd_hash.bytes()[..6]);
        let candidate = Candidate {
            org: org.as_deref(),
            kind: &proposal.kind,
            content_hash: proposal.content_hash.bytes(),
            former_hash: former.map(|former| former.content_hash.bytes()),
            cmd_hash,
            display_id: proposal.display_id.as_deref(),
        };
        let decision = self.index().propose(candidate, || proposal.keys(), self.clock.now(py)?);
        decision
            .map(|decision| DedupDecision::decided(py, decision))
            .map_err(|error| errors::index(py, &error, None))
    }

    /// Moves an entry to another state. A worker gives the `attempt` of the entry it began to execute.
    ///
    /// Raises `UnknownState`, `ProposalNotFound`, `StaleAttempt`, and `LifecycleError` for a transition there is not.
    #[pyo3(
        signature = (id, to, *, attempt = None, org_id = OrgArgument::Current),
        text_signature = "($self, id, to, *, attempt=None, org_id=...)"
    )]
    fn transition(
        &self,
        id: &Bound<'_, PyAny>,
        to: &Bound<'_, PyString>,
        attempt: Option<u32>,
        org_id: OrgArgument<'_>,
    ) -> PyResult<Py<PyAny>> {
        let py = id.py();
        let raise = |error: IndexError| errors::index(py, &error, Some(id));
        let org = org_id.reader(py)?;
        let word = to.to_string_lossy();
        let to = word.parse::<LifecycleState>().map_err(|_| errors::unknown_state(py, &word))?;
        let key = parse_id(id)?.ok_or_else(|| raise(IndexError::Unknown))?;
        let changed =
            self.index().transition(key, org.as_deref(), to, attempt, self.clock.now(py)?);
        stored_proposal(py, &changed.map_err(raise)?)
    }

    /// The entry with this id while it is in flight or remembered, or None; None as well for another org's.
    #[pyo3(signature = (id, *, org_id = OrgArgument::Current), text_signature = "($self, id, *, org_id=...)")]
    fn get(&self, id: &Bound<'_, PyAny>, org_id: OrgArgument<'_>) -> PyResult<Option<Py<PyAny>>> {
        let py = id.py();
        let org = org_id.reader(py)?;
        let Some(key) = parse_id(id)? else { return Ok(None) };
        let found = self.index().get(key, org.as_deref(), self.clock.now(py)?);
        found.map(|entry| stored_proposal(py, &entry)).transpose()
    }

    /// The entries in flight, oldest first: of one org, or of all where neither scope nor `org_id` says which.
    #[pyo3(signature = (*, org_id = OrgArgument::Current), text_signature = "($self, *, org_id=...)")]
    fn in_flight(&self, py: Python<'_>, org_id: OrgArgument<'_>) -> PyResult<Py<PyTuple>> {
        let (org, now, index) = (org_id.reader(py)?, self.clock.now(py)?, self.index());
        stored_proposals(py, &py.detach(|| index.in_flight(org.as_deref(), now)))
    }

    /// Lets lapsed leases lapse, and returns whose: pending entries expire, executing ones are interrupted. In a
    /// tenant scope, those of other orgs lapse as well and are not returned.
    fn expire(&self, py: Python<'_>) -> PyResult<Py<PyTuple>> {
        let (org, now, index) =
            (OrgArgument::Current.reader(py)?, self.clock.now(py)?, self.index());
        let mut lapsed = py.detach(|| index.expire(now));
        lapsed.retain(|entry| org.is_none() || entry.org() == org.as_deref());
        stored_proposals(py, &lapsed)
    }

    /// Every entry as bytes, for `restore`. Each is as it was at one moment; not all at the same one.
    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let index = self.index();
        let bytes =
            py.detach(|| index.snapshot()).map_err(|error| errors::index(py, &error, None))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Replaces every entry by those of a snapshot, or changes nothing and raises `SnapshotError` or `DedupIndexFull`.
    fn restore(&self, py: Python<'_>, snapshot: &Bound<'_, PyBytes>) -> PyResult<()> {
        let (settings, bytes) = (self.settings, snapshot.as_bytes());
        let restored = py
            .detach(|| Index::restored(settings, bytes))
            .map_err(|error| errors::index(py, &error, None))?;
        *self.index.write() = Arc::new(restored);
        Ok(())
    }

    /// How many entries are in flight, those included whose lapse nobody has acted on yet.
    fn __len__(&self) -> usize {
        self.index().len()
    }

    // An index without entries is an index all the same.
    #[allow(clippy::unused_self)] // Python's calling convention
    fn __bool__(&self) -> bool {
        true
    }
}

impl DedupIndex {
    fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index.read())
    }
}

/// The id, if the text or UUID can be one; a proposer's label is nobody's id.
fn parse_id(id: &Bound<'_, PyAny>) -> PyResult<Option<Id>> {
    let uuid = match id.cast::<PyString>() {
        Ok(text) => match id.py().import("uuid")?.getattr("UUID")?.call1((text,)) {
            Ok(uuid) => uuid,
            Err(_) => return Ok(None),
        },
        Err(_) => id.clone(),
    };
    Ok(Some(Id::from_bits(uuid.getattr("int")?.extract()?)))
}
