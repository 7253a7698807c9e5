//! Binds fire-once gates and their transitions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::gates::{Budget, Event, EventSpec, Firing, KeyHash};

use super::arguments::gate_error;
use super::gate::{Caller, Home, tenant};
use crate::python::errors::raise;
use crate::python::ready::Ready;

/// Fires once for each subkey, until it is reset. Made by `Gates.fire_once`.
#[pyclass(frozen, weakref, module = "interlock.gates")]
pub(in crate::python) struct FireOnce {
    home: Arc<Home>,
    event: Event,
    #[pyo3(get, name = "event")]
    name: String,
    ttl: Option<u64>,
    per_tenant: bool,
}

#[pymethods]
impl FireOnce {
    /// Whether this is the first call since the last reset; if not, it is counted as suppressed.
    #[pyo3(signature = (subkey = None))]
    fn fire(&self, py: Python<'_>, subkey: Option<&Bound<'_, PyString>>) -> PyResult<bool> {
        let now = self.home.clock.now(py, true)?;
        let tenant = tenant(py, self.per_tenant);
        let caller = Caller { event: self.event.place(), tenant: tenant.as_ref(), subkey };
        let key = self.home.digest(self.event.hash(), &caller)?;
        let firing = self.home.core.fire(&self.event, key, self.ttl, &caller, now);
        Ok(matches!(firing, Firing::Fired(_)))
    }

    /// Arm it again at once, also after failed bodies; whether it had fired.
    #[pyo3(signature = (subkey = None))]
    fn reset(&self, py: Python<'_>, subkey: Option<&Bound<'_, PyString>>) -> PyResult<bool> {
        Ok(self.home.core.reset(self.key(py, subkey)?))
    }

    /// How many calls were suppressed since somebody was last told.
    #[pyo3(signature = (subkey = None))]
    fn suppressed(&self, py: Python<'_>, subkey: Option<&Bound<'_, PyString>>) -> PyResult<u64> {
        Ok(self.home.core.pending_once(self.key(py, subkey)?).count)
    }

    /// Fields for `extra=` of the line: event, subkey, and what was suppressed before it, once.
    #[pyo3(signature = (subkey = None))]
    fn tag<'py>(
        &self,
        py: Python<'py>,
        subkey: Option<&Bound<'py, PyString>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let key = self.key(py, subkey)?;
        let before = self.home.core.take_pending_once(key);
        super::reports::tag(py, &self.name, subkey, before)
    }

    /// `with gate.transition() as fired:` (or `async with`): fires, and if the body raises or is
    /// cancelled, fires again after a pause of 1 s, doubling to 60 s.
    ///
    /// Calls during the body and the pause are suppressed and counted. A body that ends well, or
    /// `reset`, ends the doubling.
    #[pyo3(signature = (subkey = None))]
    fn transition(
        slf: &Bound<'_, Self>,
        subkey: Option<&Bound<'_, PyString>>,
    ) -> PyResult<Transition> {
        let (py, gate) = (slf.py(), slf.get());
        // The tenant is the one of the call, whoever enters.
        let tenant = tenant(py, gate.per_tenant);
        let caller = Caller { event: gate.event.place(), tenant: tenant.as_ref(), subkey };
        Ok(Transition {
            key: gate.home.digest(gate.event.hash(), &caller)?,
            gate: slf.clone().unbind(),
            tenant: tenant.map(Bound::unbind),
            subkey: subkey.map(|subkey| subkey.clone().unbind()),
            progress: AtomicU64::new(IDLE),
        })
    }

    fn __repr__(&self) -> String {
        format!("<FireOnce {:?}>", self.name)
    }
}

impl FireOnce {
    pub(super) fn new(
        py: Python<'_>,
        home: Arc<Home>,
        name: &str,
        ttl: Option<u64>,
        per_tenant: bool,
    ) -> PyResult<Self> {
        let spec = EventSpec {
            name,
            policy: "fire_once",
            rate: None,
            per_tenant,
            budget: Budget::Unlimited,
        };
        let event = home.core.event(&spec).map_err(|why| gate_error(py, &why))?;
        Ok(Self { home, event, name: name.to_owned(), ttl, per_tenant })
    }

    fn key(&self, py: Python<'_>, subkey: Option<&Bound<'_, PyString>>) -> PyResult<KeyHash> {
        let tenant = tenant(py, self.per_tenant);
        let caller = Caller { event: self.event.place(), tenant: tenant.as_ref(), subkey };
        self.home.digest(self.event.hash(), &caller)
    }
}

// What `Transition::progress` holds; a token stands above the 32 low bits.
const IDLE: u64 = 0;
const ENTERING: u64 = 1;
const SUPPRESSED: u64 = 2;
const UNTRACKED: u64 = 3;
const FIRED: u64 = 4;

/// One transition of a fire-once gate; a context manager, sync and async.
#[pyclass(frozen, module = "interlock.gates")]
pub(in crate::python) struct Transition {
    gate: Py<FireOnce>,
    key: KeyHash,
    tenant: Option<Py<PyString>>,
    subkey: Option<Py<PyString>>,
    progress: AtomicU64,
}

#[pymethods]
impl Transition {
    fn __enter__(&self, py: Python<'_>) -> PyResult<bool> {
        self.progress
            .compare_exchange(IDLE, ENTERING, Ordering::AcqRel, Ordering::Acquire)
            .map_err(|_| {
                let message = "this transition is already entered: call transition() again";
                raise(py, "GateError", message.to_owned(), |_| Ok(()))
            })?;
        let gate = self.gate.get();
        let fired = gate.home.clock.now(py, true).map(|now| {
            let tenant = self.tenant.as_ref().map(|text| text.bind(py));
            let subkey = self.subkey.as_ref().map(|text| text.bind(py));
            let caller = Caller { event: gate.event.place(), tenant, subkey };
            gate.home.core.fire(&gate.event, self.key, gate.ttl, &caller, now)
        });
        let progress = match fired {
            Ok(Firing::Fired(Some(token))) => u64::from(token) << 32 | FIRED,
            Ok(Firing::Fired(None)) => UNTRACKED,
            Ok(Firing::Suppressed(_)) => SUPPRESSED,
            Err(_) => IDLE,
        };
        self.progress.store(progress, Ordering::Release);
        fired.map(|firing| matches!(firing, Firing::Fired(_)))
    }

    /// Ends it; `exception` is the type, the value and the traceback of what the body raised, or three
    /// times None.
    #[pyo3(signature = (*exception))]
    fn __exit__(&self, py: Python<'_>, exception: &Bound<'_, PyTuple>) -> PyResult<bool> {
        let succeeded = exception.get_item(0).map_or(true, |kind| kind.is_none());
        self.settle(py, succeeded)?;
        Ok(false)
    }

    /// End it as if the body had raised: for a body that could not do its work, and says so otherwise.
    fn fail(&self, py: Python<'_>) -> PyResult<()> {
        self.settle(py, false)
    }

    fn __aenter__(&self, py: Python<'_>) -> PyResult<Ready> {
        ready(py, self.__enter__(py)?)
    }

    #[pyo3(signature = (*exception))]
    fn __aexit__(&self, py: Python<'_>, exception: &Bound<'_, PyTuple>) -> PyResult<Ready> {
        ready(py, self.__exit__(py, exception)?)
    }
}

fn ready(py: Python<'_>, answer: bool) -> PyResult<Ready> {
    Ok(Ready(Some(answer.into_py_any(py)?)))
}

impl Transition {
    fn settle(&self, py: Python<'_>, succeeded: bool) -> PyResult<()> {
        let progress = self.progress.swap(IDLE, Ordering::AcqRel);
        if progress & u64::from(u32::MAX) == FIRED {
            #[allow(clippy::cast_possible_truncation)] // the upper half
            let token = (progress >> 32) as u32;
            let home = &self.gate.get().home;
            home.core.settle(self.key, token, succeeded, home.clock.now(py, true)?);
        }
        Ok(())
    }
}
