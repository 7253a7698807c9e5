//! Binds `tenancy`: scopes, their context, and the affinity of a connection.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyInt, PyString, PyType};

use super::current::{current, set_current};
use super::errors::raise;
use crate::tenancy::frame::{self, Frame, Successor};
use crate::tenancy::org::{MAX_ORG_ID_LENGTH, OrgId, OrgIdError};
use crate::tenancy::rules::{Authority, Refusal, Standing, Subject};

/// What the frame's owner gave, as it was given.
struct Given {
    org_id: Option<Py<PyAny>>,
    reason: Option<Py<PyString>>,
    org_text: PyOnceLock<Py<PyString>>,
}

/// Who the current code works for. One object per entered scope; equal if org and reason are.
#[pyclass(frozen, module = "interlock.tenancy", name = "TenantContext")]
pub(super) struct TenantContext {
    frame: Arc<Frame<Given>>,
}

#[pymethods]
impl TenantContext {
    /// The org id as it was given to the scope; None before resolution.
    #[getter]
    fn org_id(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.frame.attached().org_id.as_ref().map(|org_id| org_id.clone_ref(py))
    }

    /// Whether this is a `pre_org_resolution_scope`.
    #[getter]
    fn pre_resolution(&self) -> bool {
        *self.frame.subject() == Subject::PreResolution
    }

    /// Why the pre-resolution scope was opened; None for a tenant.
    #[getter]
    fn reason(&self, py: Python<'_>) -> Option<Py<PyString>> {
        self.frame.attached().reason.as_ref().map(|reason| reason.clone_ref(py))
    }

    /// The canonical text of the org id; None before resolution.
    #[getter]
    pub(super) fn org_text(&self, py: Python<'_>) -> Option<Py<PyString>> {
        let Subject::Tenant(org) = self.frame.subject() else { return None };
        let text = self
            .frame
            .attached()
            .org_text
            .get_or_init(py, || PyString::new(py, &org.to_string()).unbind());
        Some(text.clone_ref(py))
    }

    /// Whether the block of the scope is still running.
    #[getter]
    fn alive(&self) -> bool {
        self.frame.is_alive()
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Ok(other) = other.cast::<Self>() else { return Ok(false) };
        let other = other.get();
        Ok(self.frame.subject() == other.frame.subject()
            && match (&self.frame.attached().reason, &other.frame.attached().reason) {
                (Some(mine), Some(theirs)) => mine.bind(py).as_any().eq(theirs.bind(py))?,
                (mine, theirs) => mine.is_none() && theirs.is_none(),
            })
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        match self.org_text(py) {
            Some(org_text) => org_text.bind(py).hash(),
            None => self.reason(py).into_pyobject(py)?.hash(),
        }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let end = if self.frame.is_alive() { "" } else { ", ended" };
        Ok(match &self.frame.attached().org_id {
            Some(org_id) => format!("TenantContext(org_id={}{end})", org_id.bind(py).repr()?),
            None => format!(
                "TenantContext(pre_resolution=True, reason={}{end})",
                self.reason(py).into_pyobject(py)?.repr()?
            ),
        })
    }
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
        let here = current(py)?;
        match frame::standing(here.as_ref().map(|scope| &scope.get().frame)) {
            Standing::In(Subject::Tenant(_)) => Err(refused(py, Refusal::Escalation)),
            Standing::Ended => Err(refused(py, Refusal::Ended)),
            Standing::Unscoped | Standing::In(Subject::PreResolution) => Ok(Self { name }),
        }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("BreakGlass({})", self.name.bind(py).repr()?))
    }
}

struct Entered {
    scope: Py<TenantContext>,
    // Kept so that the very same object becomes current again.
    before: Option<Py<TenantContext>>,
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
    entered: Mutex<Option<Entered>>,
    entered_before: Mutex<Vec<Entered>>,
}

impl Scope {
    fn new(
        subject: Subject,
        authority: Authority,
        org_id: Option<Py<PyAny>>,
        reason: Option<Py<PyString>>,
    ) -> Self {
        let (entered, entered_before) = (Mutex::new(None), Mutex::new(Vec::new()));
        Self { subject, authority, org_id, reason, entered, entered_before }
    }

    /// The entry to leave: the innermost one the running context stands in, else the latest.
    fn leave(&self, here: Option<&Arc<Frame<Given>>>) -> Option<Entered> {
        let mut latest = self.entered.lock();
        let mut others = self.entered_before.lock();
        if others.is_empty() {
            return latest.take();
        }
        others.extend(latest.take());
        let innermost = here.and_then(|here| {
            let holds = |entry: &Entered| {
                let frame = &entry.scope.get().frame;
                Arc::ptr_eq(frame, here) || here.nests_in(frame)
            };
            others.iter().rposition(holds)
        });
        let left = match innermost {
            Some(position) => others.remove(position),
            None => others.pop()?,
        };
        *latest = others.pop();
        Some(left)
    }
}

#[pymethods]
impl Scope {
    fn __enter__(&self, py: Python<'_>) -> PyResult<Py<TenantContext>> {
        let before = current(py)?;
        let given = Given {
            org_id: self.org_id.as_ref().map(|org_id| org_id.clone_ref(py)),
            reason: self.reason.as_ref().map(|reason| reason.clone_ref(py)),
            org_text: PyOnceLock::new(),
        };
        let frame = Frame::enter(
            before.as_ref().map(|scope| &scope.get().frame),
            self.subject.clone(),
            self.authority,
            given,
        )
        .map_err(|refusal| refused(py, refusal))?;
        let scope = Py::new(py, TenantContext { frame })?;
        set_current(py, Some(&scope))?;
        let entry = Entered { scope: scope.clone_ref(py), before: before.map(Bound::unbind) };
        if let Some(earlier) = self.entered.lock().replace(entry) {
            self.entered_before.lock().push(earlier);
        }
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
        let here = current(py)?;
        let here = here.as_ref().map(|scope| &scope.get().frame);
        let Some(Entered { scope, before }) = self.leave(here) else {
            return Err(pyo3::exceptions::PyRuntimeError::new_err(
                "this scope is not entered: __exit__ without __enter__",
            ));
        };
        match scope.get().frame.exit(here) {
            Successor::Unchanged => Ok(()),
            Successor::Unscoped => set_current(py, None),
            Successor::Frame(frame) => match before {
                Some(before) if Arc::ptr_eq(&before.get().frame, &frame) => {
                    set_current(py, Some(&before))
                }
                _ => set_current(py, Some(&Py::new(py, TenantContext { frame })?)),
            },
        }
    }

    /// Enters at once: nothing is awaited, so the scope is visible in the task that asked for it.
    fn __aenter__(&self, py: Python<'_>) -> PyResult<Ready> {
        Ok(Ready { value: Some(self.__enter__(py)?) })
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
        Ok(Ready { value: None })
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

/// An awaitable that is ready.
#[pyclass(module = "interlock.tenancy")]
pub(super) struct Ready {
    value: Option<Py<TenantContext>>,
}

#[pymethods]
impl Ready {
    const fn __await__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    const fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&mut self) -> PyResult<()> {
        Err(pyo3::exceptions::PyStopIteration::new_err((self.value.take(),)))
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
        set_current(py, before.as_ref())
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

/// The scope of the running context, or None. Raises `ScopeEnded` if its block is over.
#[pyfunction]
pub(super) fn current_scope(py: Python<'_>) -> PyResult<Option<Bound<'_, TenantContext>>> {
    match current(py)? {
        Some(scope) if !scope.get().frame.is_alive() => Err(refused(py, Refusal::Ended)),
        scope => Ok(scope),
    }
}

/// The org id as given to the innermost scope; None outside a tenant's scope. Raises `ScopeEnded`.
#[pyfunction]
pub(super) fn current_org_id(py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
    Ok(current_scope(py)?.and_then(|scope| scope.get().org_id(py)))
}

/// The current frame, dead or alive, or None. Never raises.
#[pyfunction]
pub(super) fn current_frame(py: Python<'_>) -> PyResult<Option<Bound<'_, TenantContext>>> {
    current(py)
}

/// The current frame. Raises `ScopeMissing` or `ScopeEnded`.
#[pyfunction]
pub(super) fn require_frame(py: Python<'_>) -> PyResult<Bound<'_, TenantContext>> {
    current_scope(py)?.ok_or_else(|| refused(py, Refusal::Missing))
}

/// Whether the running code may use a connection acquired in `owner`: returns, or raises
/// `ScopeMissing`, `ScopeEnded` or `ScopeConflict`.
#[pyfunction]
pub(super) fn frame_allows(py: Python<'_>, owner: &Bound<'_, TenantContext>) -> PyResult<()> {
    let here = current(py)?;
    frame::permit_use(&owner.get().frame, here.as_ref().map(|scope| &scope.get().frame))
        .map_err(|refusal| refused(py, refusal))
}

/// The canonical text of an org id. Raises `InvalidOrgId`.
#[pyfunction]
pub(super) fn canonical_org_id(org_id: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(parse_org_id(org_id)?.to_string())
}

pub(super) fn parse_org_id(given: &Bound<'_, PyAny>) -> PyResult<OrgId> {
    if let Ok(text) = given.cast::<PyString>() {
        // A lone surrogate has no UTF-8, and is no character of an org id.
        let text = text.to_str().map_err(|_| invalid(given, OrgIdError::Character))?;
        return OrgId::parse(text).map_err(|why| invalid(given, why));
    }
    if given.is_instance_of::<PyInt>() && !given.is_instance_of::<PyBool>() {
        return parse_int(given);
    }
    if given.is_instance(uuid_class(given.py())?)? {
        return Ok(OrgId::from_uuid(given.getattr("int")?.extract()?));
    }
    Err(invalid_org_id(given, "give an int, a UUID or a str"))
}

fn parse_int(given: &Bound<'_, PyAny>) -> PyResult<OrgId> {
    if let Ok(number) = given.extract::<i64>() {
        return Ok(OrgId::from_i64(number));
    }
    // Checked first, because Python refuses to print very long integers: 128 digits have 426 bits.
    let int = given.py().get_type::<PyInt>();
    if int.call_method1("bit_length", (given,))?.extract::<usize>()? > 426 {
        return Err(invalid(given, OrgIdError::TooLong));
    }
    let digits = int.call_method1("__repr__", (given,))?.extract::<String>()?;
    OrgId::parse(&digits).map_err(|why| invalid(given, why))
}

fn uuid_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static UUID: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    UUID.import(py, "uuid", "UUID")
}

fn invalid(given: &Bound<'_, PyAny>, why: OrgIdError) -> PyErr {
    invalid_org_id(
        given,
        &format!("{why}; it must match [A-Za-z0-9_.:@-]{{1,{MAX_ORG_ID_LENGTH}}} in full"),
    )
}

/// The message never repeats the value: it may be hostile, or another tenant's.
fn invalid_org_id(given: &Bound<'_, PyAny>, why: &str) -> PyErr {
    let kind =
        given.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string());
    let py = given.py();
    raise(py, "InvalidOrgId", format!("this {kind} cannot be an org id: {why}"), |_| Ok(()))
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

fn refused(py: Python<'_>, refusal: Refusal) -> PyErr {
    let class = match refusal {
        Refusal::Missing => "ScopeMissing",
        Refusal::Ended => "ScopeEnded",
        Refusal::OtherTenant | Refusal::OtherFrame => "ScopeConflict",
        Refusal::Escalation => "ScopeEscalation",
    };
    raise(py, class, refusal.to_string(), |_| Ok(()))
}
