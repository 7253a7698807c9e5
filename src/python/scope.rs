//! Binds `tenancy::frame` as scopes to be entered and left.

use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::current::{current, reset_current, set_current};
use super::errors::raise;
use super::org_id::parse_org_id;
use super::ready::Ready;
use super::tenancy::{Handle, TenantContext, here, refused};
use crate::tenancy::frame::{self, Link, Successor};
use crate::tenancy::rules::{Authority, Refusal, Standing, Subject};

struct Entered {
    scope: Handle,
    before: Option<Handle>,
    token: Py<PyAny>,
}

impl Entered {
    /// Makes `successor` the current one: by the token if it was current before, which is fastest.
    fn give_way(&self, py: Python<'_>, successor: Option<&Handle>) -> PyResult<()> {
        let was_before = match (&self.before, successor) {
            (Some(before), Some(successor)) => before.is(successor),
            (before, successor) => before.is_none() && successor.is_none(),
        };
        if was_before && reset_current(py, &self.token)? {
            return Ok(());
        }
        set_current(py, successor.map(|handle| &handle.0)).map(drop)
    }
}

/// What one scope object has entered and not left.
#[derive(Default)]
struct Entries {
    latest: Option<Entered>,
    earlier: Vec<Entered>,
}

impl Entries {
    fn push(&mut self, entry: Entered) {
        if let Some(earlier) = self.latest.replace(entry) {
            self.earlier.push(earlier);
        }
    }

    /// The entry to leave: the innermost one that code in `here` stands in, else the latest.
    fn pop(&mut self, here: Option<&Handle>) -> Option<Entered> {
        if self.earlier.is_empty() {
            return self.latest.take();
        }
        self.earlier.extend(self.latest.take());
        let innermost = here.and_then(|here| {
            self.earlier
                .iter()
                .rposition(|entry| here.is(&entry.scope) || here.frame().nests_in(&entry.scope))
        });
        match innermost {
            Some(position) => Some(self.earlier.remove(position)),
            None => self.earlier.pop(),
        }
    }
}

/// A scope to be entered: `with`, `async with`, or a decorator (a fresh frame for each call).
///
/// One object may be entered again, also while it is entered: each entry has its own frame.
#[pyclass(frozen, module = "interlock.tenancy", name = "Scope")]
pub(super) struct Scope {
    subject: Subject,
    authority: Authority,
    org_id: Option<Py<PyAny>>,
    reason: Option<Py<PyString>>,
    entered: Mutex<Entries>,
}

impl Scope {
    fn new(
        subject: Subject,
        authority: Authority,
        org_id: Option<Py<PyAny>>,
        reason: Option<Py<PyString>>,
    ) -> Self {
        Self { subject, authority, org_id, reason, entered: Mutex::default() }
    }
}

#[pymethods]
impl Scope {
    fn __enter__(&self, py: Python<'_>) -> PyResult<Py<TenantContext>> {
        let before = here(py)?;
        let context = TenantContext::enter(
            py,
            before.as_ref(),
            self.subject.clone(),
            self.authority,
            self.org_id.as_ref().map(|org_id| org_id.clone_ref(py)),
            self.reason.as_ref().map(|reason| reason.clone_ref(py)),
        )?;
        let scope = Py::new(py, context)?;
        let token = set_current(py, Some(&scope))?.unbind();
        let entry = Entered { scope: Handle(scope.clone_ref(py)), before, token };
        self.entered.lock().push(entry);
        Ok(scope)
    }

    #[pyo3(signature = (exc_type=None, exc=None, traceback=None))]
    #[allow(unused_variables)] // the protocol's names
    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: Option<&Bound<'_, PyAny>>,
        exc: Option<&Bound<'_, PyAny>>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let here = here(py)?;
        let Some(entry) = self.entered.lock().pop(here.as_ref()) else {
            return Err(PyRuntimeError::new_err(
                "this scope is not entered: __exit__ without __enter__",
            ));
        };
        match frame::exit(&entry.scope, here.as_ref()) {
            Successor::Unchanged => Ok(()),
            Successor::Becomes(successor) => entry.give_way(py, successor.as_ref()),
        }
    }

    /// Enters at once: nothing is awaited, so the scope is visible in the task that asked for it.
    fn __aenter__(&self, py: Python<'_>) -> PyResult<Ready> {
        Ok(Ready(Some(self.__enter__(py)?.into_any())))
    }

    #[pyo3(signature = (exc_type=None, exc=None, traceback=None))]
    fn __aexit__(
        &self,
        py: Python<'_>,
        exc_type: Option<&Bound<'_, PyAny>>,
        exc: Option<&Bound<'_, PyAny>>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Ready> {
        self.__exit__(py, exc_type, exc, traceback)?;
        Ok(Ready(None))
    }

    /// Decorates a function or an async function; a generator is refused with a `TypeError`.
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        function: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let decorate = slf.py().import("interlock.tenancy.decorator")?.getattr("run_in_scope")?;
        decorate.call1((slf, function))
    }

    /// The same scope, not entered.
    fn fresh(&self, py: Python<'_>) -> Self {
        Self::new(
            self.subject.clone(),
            self.authority,
            self.org_id.as_ref().map(|org_id| org_id.clone_ref(py)),
            self.reason.as_ref().map(|reason| reason.clone_ref(py)),
        )
    }
}

/// Runs its block from a fresh root, as if no scope had been entered, then restores what was.
#[pyclass(frozen, module = "interlock.tenancy", name = "FreshRoot")]
pub(super) struct FreshRoot {
    before: Mutex<Vec<Option<Py<TenantContext>>>>,
}

#[pymethods]
impl FreshRoot {
    #[new]
    const fn new() -> Self {
        Self { before: Mutex::new(Vec::new()) }
    }

    fn __enter__(&self, py: Python<'_>) -> PyResult<()> {
        let before = current(py)?.map(Bound::unbind);
        set_current(py, None)?;
        self.before.lock().push(before);
        Ok(())
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) -> PyResult<()> {
        let before = self.before.lock().pop().flatten();
        set_current(py, before.as_ref()).map(drop)
    }
}

/// The scope of one tenant. Raises `InvalidOrgId`; on entering `ScopeConflict` or `ScopeEnded`.
#[pyfunction]
pub(super) fn tenant_scope(org_id: &Bound<'_, PyAny>) -> PyResult<Scope> {
    let subject = Subject::Tenant(parse_org_id(org_id)?);
    Ok(Scope::new(subject, Authority::Ordinary, Some(org_id.clone().unbind()), None))
}

/// The scope of work before or across tenants. `reason` is recorded. Raises `InvalidReason`; on entering
/// `ScopeEscalation` or `ScopeEnded`.
#[pyfunction]
#[pyo3(signature = (reason, *, capability=None))]
#[allow(clippy::needless_pass_by_value)] // PyO3 hands out a reference count
pub(super) fn pre_org_resolution_scope(
    reason: &Bound<'_, PyAny>,
    capability: Option<Py<BreakGlass>>,
) -> PyResult<Scope> {
    let authority = match capability {
        Some(_) => Authority::BreakGlass,
        None => Authority::Ordinary,
    };
    Ok(Scope::new(Subject::PreResolution, authority, None, Some(self::reason(reason)?)))
}

/// A capability, made at start-up, to open `pre_org_resolution_scope` inside a tenant's scope.
#[pyclass(frozen, module = "interlock.tenancy", name = "BreakGlass")]
pub(super) struct BreakGlass {
    name: Py<PyString>,
}

#[pymethods]
impl BreakGlass {
    /// Names the capability. Raises `ScopeEscalation` inside a tenant scope: what could be made there
    /// would be no capability.
    #[new]
    fn new(name: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = name.py();
        let name = reason(name)?;
        match frame::standing(here(py)?.as_ref()) {
            Standing::In(Subject::Tenant(_)) => Err(refused(py, Refusal::Escalation)),
            Standing::Ended => Err(refused(py, Refusal::Ended)),
            Standing::Unscoped | Standing::In(Subject::PreResolution) => Ok(Self { name }),
        }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("BreakGlass({})", self.name.bind(py).repr()?))
    }
}

fn reason(given: &Bound<'_, PyAny>) -> PyResult<Py<PyString>> {
    match given.cast::<PyString>() {
        Ok(text) if text.to_str().is_ok_and(|text| !text.trim().is_empty()) => {
            Ok(text.clone().unbind())
        }
        _ => Err(raise(
            given.py(),
            "InvalidReason",
            "give a reason as a str that is not blank, such as \"login\": it is recorded"
                .to_owned(),
            |_| Ok(()),
        )),
    }
}
