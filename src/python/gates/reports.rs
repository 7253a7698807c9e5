//! Binds what gates report: decisions, suppressions, totals.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::gates::clock::SECOND;
use crate::gates::{self, Pending, Stats};

/// Nanoseconds as seconds.
#[allow(clippy::cast_precision_loss)] // for reading, not for deciding
pub(super) fn seconds(nanos: u64) -> f64 {
    nanos as f64 / SECOND as f64
}

/// The fields of an allowed line, named so that they do not collide with a `LogRecord`'s.
pub(super) fn tag<'py>(
    py: Python<'py>,
    event: &str,
    subkey: Option<&Bound<'py, PyString>>,
    before: Pending,
) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("gate_event", event)?;
    fields.set_item("gate_subkey", subkey)?;
    fields.set_item("suppressed_before", before.count)?;
    let first = (before.count > 0).then(|| seconds(before.first));
    fields.set_item("first_suppressed_at", first)?;
    Ok(fields)
}

/// The answer of `Gate.check`; true if the emission may happen.
#[pyclass(frozen, get_all, module = "interlock.gates")]
pub(in crate::python) struct Decision {
    /// Whether the emission may happen.
    pub(super) allowed: bool,
    /// How many were suppressed before this one since somebody was last told; 0 if denied.
    pub(super) suppressed_before: u64,
    /// Whether the count stands for so many or more: it has come to the table's `max_count`.
    pub(super) saturated: bool,
    /// When the first of them was, in seconds of the gate's clock.
    pub(super) first_suppressed_at: Option<f64>,
    /// Seconds until the same call would be allowed; None is never.
    pub(super) retry_after: Option<f64>,
    /// `"allowed"`, `"limit"` (the key's own), `"budget"` (the event's), or `"muted"` (the limit is 0).
    pub(super) reason: &'static str,
}

#[pymethods]
impl Decision {
    const fn __bool__(&self) -> bool {
        self.allowed
    }

    fn __repr__(&self) -> String {
        format!(
            "<Decision {} suppressed_before={} retry_after={:?}>",
            self.reason, self.suppressed_before, self.retry_after
        )
    }
}

/// What was suppressed of one key since it was last reported.
#[pyclass(frozen, get_all, eq, module = "interlock.gates")]
#[derive(PartialEq)]
pub(in crate::python) struct Suppression {
    /// The event's name.
    event: String,
    /// The subkey, cut to about 100 bytes; `"<evicted>"` for keys that lost their place in the table.
    subkey: Option<String>,
    /// How many emissions were suppressed.
    count: u64,
    /// Whether the count stands for so many or more.
    saturated: bool,
    /// When the first was, in seconds of the gate's clock; None for evicted keys.
    first: Option<f64>,
    /// When the latest was.
    last: Option<f64>,
    /// The org, for gates with `per_tenant`.
    tenant: Option<String>,
}

#[pymethods]
impl Suppression {
    fn __repr__(&self) -> String {
        format!(
            "<Suppression event={:?} subkey={:?} count={} first={:?} last={:?}>",
            self.event, self.subkey, self.count, self.first, self.last
        )
    }
}

impl From<gates::Suppression> for Suppression {
    fn from(row: gates::Suppression) -> Self {
        Self {
            event: row.event,
            subkey: row.subkey,
            count: row.count,
            saturated: row.saturated,
            first: row.span.map(|(first, _)| seconds(first)),
            last: row.span.map(|(_, last)| seconds(last)),
            tenant: row.tenant,
        }
    }
}

/// Totals of one event.
#[pyclass(frozen, get_all, eq, from_py_object, module = "interlock.gates")]
#[derive(Clone, PartialEq, Default)]
pub(in crate::python) struct EventTotals {
    /// Emissions allowed.
    emitted: u64,
    /// Emissions suppressed.
    suppressed: u64,
}

#[pymethods]
impl EventTotals {
    fn __repr__(&self) -> String {
        format!("<EventTotals emitted={} suppressed={}>", self.emitted, self.suppressed)
    }
}

/// Totals, and the state of a table.
#[pyclass(frozen, get_all, module = "interlock.gates")]
pub(in crate::python) struct GateStats {
    /// Emissions allowed.
    emitted: u64,
    /// Emissions suppressed. Emitted and suppressed together are the calls.
    suppressed: u64,
    /// Totals by event.
    events: BTreeMap<String, EventTotals>,
    /// Keys of windows and rates that have a place in the table.
    keys: usize,
    /// How many places there are.
    capacity: usize,
    /// Fire-once keys that have a place in the table.
    fire_once_keys: usize,
    /// Keys that lost their place to another.
    evicted: u64,
    /// Of these, how many still had a window running.
    live_evicted: u64,
    /// Calls of keys that found no place: judged by the event's budget alone, or fired again.
    untracked: u64,
}

#[pymethods]
impl GateStats {
    fn __repr__(&self) -> String {
        format!(
            "<GateStats emitted={} suppressed={} keys={} of {} evicted={} untracked={}>",
            self.emitted, self.suppressed, self.keys, self.capacity, self.evicted, self.untracked
        )
    }
}

impl From<Stats> for GateStats {
    fn from(stats: Stats) -> Self {
        let mut events = BTreeMap::<String, EventTotals>::new();
        // Definitions that differ may share a name; people know events by name.
        for totals in stats.events {
            let of_name = events.entry(totals.event).or_default();
            of_name.emitted += totals.emitted;
            of_name.suppressed += totals.suppressed;
        }
        Self {
            emitted: events.values().map(|totals| totals.emitted).sum(),
            suppressed: events.values().map(|totals| totals.suppressed).sum(),
            events,
            keys: stats.keys,
            capacity: stats.capacity,
            fire_once_keys: stats.fire_once_keys,
            evicted: stats.evicted,
            live_evicted: stats.live_evicted,
            untracked: stats.untracked,
        }
    }
}
