//! Binds the decision, and the entries it shows.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyTuple};

use crate::dedup::identity::hex;
use crate::dedup::{Decision, Entry, Reason};

/// What became of one proposal. A duplicate never grants authority.
///
/// `reason` is `"new"`, `"in_flight"`, or `"cooldown"` where the same content ended recently. `collapsed_into` is the
/// row a duplicate collapsed into. `logical_cluster` are rows in flight with one of its logical keys, `related` those
/// on one of its targets with another verb, both oldest first and empty for a duplicate. `stored` is the row that now
/// stands for the proposal, new or collapsed into; None from `dedup_proposals`, which stores nothing.
#[pyclass(frozen, module = "interlock.dedup")]
pub(in crate::python) struct DedupDecision {
    duplicate: bool,
    reason: Py<PyString>,
    rows: Rows,
}

#[allow(clippy::large_enum_variant)] // nearly every one is the large one, which a box would make slower
enum Rows {
    /// As the index decided: made into Python objects when they are looked at.
    Decided(Decision),
    Given {
        collapsed_into: Py<PyAny>,
        logical_cluster: Py<PyTuple>,
        related: Py<PyTuple>,
        stored: Py<PyAny>,
    },
}

#[pymethods]
impl DedupDecision {
    #[new]
    #[pyo3(signature = (
        duplicate, *, collapsed_into = None, logical_cluster = None, related = None, reason = None, stored = None
    ))]
    fn new(
        py: Python<'_>,
        duplicate: bool,
        collapsed_into: Option<Py<PyAny>>,
        logical_cluster: Option<Py<PyTuple>>,
        related: Option<Py<PyTuple>>,
        reason: Option<Py<PyString>>,
        stored: Option<Py<PyAny>>,
    ) -> Self {
        let none = |row: Option<Py<PyAny>>| row.unwrap_or_else(|| py.None());
        let empty = |rows: Option<Py<PyTuple>>| rows.unwrap_or_else(|| PyTuple::empty(py).unbind());
        Self {
            duplicate,
            reason: reason.unwrap_or_else(|| word(py, Reason::New)),
            rows: Rows::Given {
                collapsed_into: none(collapsed_into),
                logical_cluster: empty(logical_cluster),
                related: empty(related),
                stored: none(stored),
            },
        }
    }

    /// Whether it collapsed into a row that was there.
    #[getter]
    fn duplicate(&self) -> bool {
        self.duplicate
    }

    /// `"new"`, `"in_flight"` or `"cooldown"`.
    #[getter]
    fn reason(&self, py: Python<'_>) -> Py<PyString> {
        self.reason.clone_ref(py)
    }

    /// The row it collapsed into, or None.
    #[getter]
    fn collapsed_into(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match &self.rows {
            Rows::Decided(decision) if self.duplicate => stored_proposal(py, &decision.stored),
            Rows::Decided(_) => Ok(py.None()),
            Rows::Given { collapsed_into, .. } => Ok(collapsed_into.clone_ref(py)),
        }
    }

    /// Rows in flight with one of its logical keys.
    #[getter]
    fn logical_cluster(&self, py: Python<'_>) -> PyResult<Py<PyTuple>> {
        match &self.rows {
            Rows::Decided(decision) => stored_proposals(py, &decision.cluster),
            Rows::Given { logical_cluster, .. } => Ok(logical_cluster.clone_ref(py)),
        }
    }

    /// Rows in flight on one of its targets with another verb.
    #[getter]
    fn related(&self, py: Python<'_>) -> PyResult<Py<PyTuple>> {
        match &self.rows {
            Rows::Decided(decision) => stored_proposals(py, &decision.related),
            Rows::Given { related, .. } => Ok(related.clone_ref(py)),
        }
    }

    /// The row that now stands for the proposal, or None if nothing was stored.
    #[getter]
    fn stored(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match &self.rows {
            Rows::Decided(decision) => stored_proposal(py, &decision.stored),
            Rows::Given { stored, .. } => Ok(stored.clone_ref(py)),
        }
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        match other.cast::<Self>() {
            Ok(other) => self.fields(py)?.eq(other.get().fields(py)?),
            Err(_) => Ok(false),
        }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let row = match self.collapsed_into(py)?.bind(py) {
            row if row.is_none() => String::from("None"),
            row => row.repr()?.to_string(),
        };
        let (cluster, related) = (self.logical_cluster(py)?, self.related(py)?);
        Ok(format!(
            "DedupDecision(duplicate={}, reason={}, collapsed_into={row}, logical_cluster=<{}>, related=<{}>)",
            if self.duplicate { "True" } else { "False" },
            self.reason.bind(py).repr()?,
            cluster.bind(py).len(),
            related.bind(py).len(),
        ))
    }
}

impl DedupDecision {
    pub(super) fn decided(py: Python<'_>, decision: Decision) -> Self {
        Self {
            duplicate: decision.reason != Reason::New,
            reason: word(py, decision.reason),
            rows: Rows::Decided(decision),
        }
    }

    fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        (
            self.duplicate,
            self.reason(py),
            self.collapsed_into(py)?,
            self.logical_cluster(py)?,
            self.related(py)?,
        )
            .into_pyobject(py)
    }
}

fn word(py: Python<'_>, reason: Reason) -> Py<PyString> {
    match reason {
        Reason::New => pyo3::intern!(py, "new"),
        Reason::InFlight => pyo3::intern!(py, "in_flight"),
        Reason::Cooldown => pyo3::intern!(py, "cooldown"),
    }
    .clone()
    .unbind()
}

pub(super) fn stored_proposals(py: Python<'_>, entries: &[Entry]) -> PyResult<Py<PyTuple>> {
    let rows =
        entries.iter().map(|entry| stored_proposal(py, entry)).collect::<PyResult<Vec<_>>>()?;
    Ok(PyTuple::new(py, rows)?.unbind())
}

/// Makes the `StoredProposal` of an entry.
pub(super) fn stored_proposal(py: Python<'_>, entry: &Entry) -> PyResult<Py<PyAny>> {
    static OF_ENTRY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let identity = (
        entry.id.bits(),
        entry.org(),
        entry.kind(),
        hex(&entry.content_hash),
        hex(&entry.cmd_hash),
        PyTuple::new(py, entry.logical_keys().collect::<Vec<_>>())?,
        entry.display_id(),
    );
    let standing = (entry.state.as_str(), entry.attempt, entry.version, entry.lease_until);
    let seen = (entry.seen_count, entry.first_seen, entry.last_seen, entry.canon_version);
    Ok(OF_ENTRY
        .import(py, "interlock.dedup.stored", "of_entry")?
        .call1((identity, standing, seen))?
        .unbind())
}
