//! Binds `tenancy`: the context a scope gives, and the affinity of a connection.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use super::current::current;
use super::errors::raise;
use crate::tenancy::frame::{self, Frame, Link};
use crate::tenancy::rules::{Authority, Refusal, Subject};

/// Who the current code works for. One object per entered scope; equal if org and reason are.
#[pyclass(frozen, module = "interlock.tenancy", name = "TenantContext")]
pub(super) struct TenantContext {
    frame: Frame<Handle>,
    org_id: Option<Py<PyAny>>,
    reason: Option<Py<PyString>>,
    org_text: PyOnceLock<Py<PyString>>,
}

/// A reference to the Python object that holds a frame.
pub(super) struct Handle(pub(super) Py<TenantContext>);

impl Link for Handle {
    fn frame(&self) -> &Frame<Self> {
        &self.0.get().frame
    }

    fn share(&self) -> Self {
        Python::attach(|py| Self(self.0.clone_ref(py)))
    }

    #[allow(unsafe_code)] // PyO3 has no safe reading of a reference count
    fn is_last(&self) -> bool {
        // SAFETY: the thread is attached while the closure runs, and `self` keeps the object alive.
        Python::attach(|_| unsafe { pyo3::ffi::Py_REFCNT(self.0.as_ptr()) == 1 })
    }
}

/// The current frame of the running context, dead or alive.
pub(super) fn here(py: Python<'_>) -> PyResult<Option<Handle>> {
    Ok(current(py)?.map(|scope| Handle(scope.unbind())))
}

impl TenantContext {
    /// A frame of its own, inside `current`.
    pub(super) fn enter(
        py: Python<'_>,
        current: Option<&Handle>,
        subject: Subject,
        authority: Authority,
        org_id: Option<Py<PyAny>>,
        reason: Option<Py<PyString>>,
    ) -> PyResult<Self> {
        let frame =
            Frame::enter(current, subject, authority).map_err(|refusal| refused(py, refusal))?;
        Ok(Self { frame, org_id, reason, org_text: PyOnceLock::new() })
    }
}

#[pymethods]
impl TenantContext {
    /// The org id as it was given to the scope; None before resolution.
    #[getter]
    fn org_id(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.org_id.as_ref().map(|org_id| org_id.clone_ref(py))
    }

    /// Whether this is a `pre_org_resolution_scope`.
    #[getter]
    fn pre_resolution(&self) -> bool {
        *self.frame.subject() == Subject::PreResolution
    }

    /// Why the pre-resolution scope was opened; None for a tenant.
    #[getter]
    fn reason(&self, py: Python<'_>) -> Option<Py<PyString>> {
        self.reason.as_ref().map(|reason| reason.clone_ref(py))
    }

    /// The canonical text of the org id; None before resolution.
    #[getter]
    pub(super) fn org_text(&self, py: Python<'_>) -> Option<Py<PyString>> {
        let Subject::Tenant(org) = self.frame.subject() else { return None };
        let text = self.org_text.get_or_init(py, || PyString::new(py, &org.to_string()).unbind());
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
            && match (&self.reason, &other.reason) {
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
        Ok(match &self.org_id {
            Some(org_id) => format!("TenantContext(org_id={}{end})", org_id.bind(py).repr()?),
            None => format!(
                "TenantContext(pre_resolution=True, reason={}{end})",
                self.reason(py).into_pyobject(py)?.repr()?
            ),
        })
    }
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
    let owner = Handle(owner.clone().unbind());
    frame::permit_use(&owner, here(py)?.as_ref()).map_err(|refusal| refused(py, refusal))
}

/// The Python exception of a refusal.
pub(super) fn refused(py: Python<'_>, refusal: Refusal) -> PyErr {
    let class = match refusal {
        Refusal::Missing => "ScopeMissing",
        Refusal::Ended => "ScopeEnded",
        Refusal::OtherTenant | Refusal::OtherFrame => "ScopeConflict",
        Refusal::Escalation => "ScopeEscalation",
    };
    raise(py, class, refusal.to_string(), |_| Ok(()))
}
