//! The table behind the module-level functions, and what a fork must do to all tables.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use crate::gates::clock::COARSE_FROM;
use crate::gates::{Budget, Event, EventSpec, Firing, Gates as Core, Limit};

use super::arguments::{USUAL_KEYS, count, gate_error, nanos};
use super::clock::ClockSource;
use super::gate::{Caller, Gates, Home};

/// Every private table, so that a forked child can forget its parent's counts. Locked only while a
/// table is made and after a fork.
static TABLES: Mutex<Vec<Weak<Home>>> = Mutex::new(Vec::new());

pub(super) fn remember(home: &Arc<Home>) {
    let mut tables = TABLES.lock();
    tables.retain(|table| table.strong_count() > 0);
    tables.push(Arc::downgrade(home));
}

/// Set the counts of every private table to 0: a forked child has suppressed nothing yet.
#[pyfunction]
pub(in crate::python) fn forget_counts_after_fork() {
    for table in TABLES.lock().iter().filter_map(Weak::upgrade) {
        table.core.forget_counts();
    }
}

struct Default {
    gates: Py<Gates>,
    home: Arc<Home>,
    fire_once: Event,
    should_emit: Event,
}

static DEFAULT: PyOnceLock<Default> = PyOnceLock::new();

fn default(py: Python<'_>) -> PyResult<&'static Default> {
    DEFAULT.get_or_try_init(py, || {
        let core = Core::private(USUAL_KEYS.0).map_err(|why| gate_error(py, &why))?;
        // The reference functions have no budget over all keys.
        let event = |policy| {
            let budget = Budget::Unlimited;
            core.event(&EventSpec { name: policy, policy, rate: None, per_tenant: false, budget })
                .map_err(|why| gate_error(py, &why))
        };
        let (fire_once, should_emit) = (event("fire_once")?, event("should_emit")?);
        let home = Home::new(core, ClockSource::Monotonic);
        remember(&home);
        let gates = Py::new(py, Gates { home: Arc::clone(&home) })?;
        Ok(Default { gates, home, fire_once, should_emit })
    })
}

/// The table of the module-level functions.
#[pyfunction]
pub(in crate::python) fn default_gates(py: Python<'_>) -> PyResult<Py<Gates>> {
    Ok(default(py)?.gates.clone_ref(py))
}

/// Whether `key` has not fired since it was last reset. Memory is bounded: when more keys than the
/// default table holds have fired, further ones fire again rather than stay silent.
#[pyfunction]
pub(in crate::python) fn fire_once(py: Python<'_>, key: &Bound<'_, PyString>) -> PyResult<bool> {
    let default = default(py)?;
    let event = &default.fire_once;
    let now = default.home.clock.now(py, true)?;
    let caller = Caller { event: event.place(), tenant: None, subkey: Some(key) };
    let digest = default.home.digest(event.hash(), &caller)?;
    let firing = default.home.core.fire(event, digest, None, &caller, now);
    Ok(matches!(firing, Firing::Fired(_)))
}

/// Let `key` fire again; whether it had fired.
#[pyfunction]
pub(in crate::python) fn reset_fire_once(
    py: Python<'_>,
    key: &Bound<'_, PyString>,
) -> PyResult<bool> {
    let default = default(py)?;
    let event = &default.fire_once;
    let caller = Caller { event: event.place(), tenant: None, subkey: Some(key) };
    Ok(default.home.core.reset(default.home.digest(event.hash(), &caller)?))
}

/// Whether `key` has emitted fewer than `max_per_window` times in the window of `window_ms`
/// milliseconds that opened with its first allowed call. The limits are those of each call.
///
/// Up to twice the limit can pass across the end of a window; `Gates.rate` has no such burst.
///
/// Raises `GateLimitError` (a `ValueError`) if the limit is negative or the window is not positive.
#[pyfunction]
pub(in crate::python) fn should_emit(
    py: Python<'_>,
    key: &Bound<'_, PyString>,
    max_per_window: &Bound<'_, PyAny>,
    window_ms: f64,
) -> PyResult<bool> {
    let default = default(py)?;
    let span = nanos(py, "window_ms", window_ms / 1e3)?;
    let limit = Limit::window(count("max_per_window", max_per_window)?, span);
    let limit = limit.map_err(|why| gate_error(py, &why))?;
    let event = &default.should_emit;
    let now = default.home.clock.now(py, span >= COARSE_FROM)?;
    let caller = Caller { event: event.place(), tenant: None, subkey: Some(key) };
    let (key, tenant) = default.home.quota_key(event, &caller)?;
    Ok(default.home.core.allow(event, &limit, key, tenant, &caller, now))
}

/// Do nothing with a key: what any native call costs, for `benchmarks/gates.py` to compare with.
#[pyfunction]
pub(in crate::python) const fn empty_call(key: &Bound<'_, PyString>) -> bool {
    let _ = key;
    true
}

/// Does nothing with a key: what any native method of the same signature costs.
#[pyclass(frozen, module = "interlock._native")]
pub(in crate::python) struct EmptyGate;

#[pymethods]
impl EmptyGate {
    #[new]
    const fn new() -> Self {
        Self
    }

    /// Do nothing.
    #[pyo3(signature = (subkey = None))]
    #[allow(clippy::unused_self)] // a method is what is measured
    const fn allow(&self, subkey: Option<&Bound<'_, PyString>>) -> bool {
        let _ = subkey;
        true
    }
}
