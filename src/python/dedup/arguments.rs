//! Arguments of the index that are more than a value: an org, a duration, a clock.

use std::convert::Infallible;
use std::time::{Duration, Instant, SystemTime};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyEllipsis, PyInt};

use crate::python::current::current;
use crate::python::errors::raise;
use crate::python::gates::ManualClock;
use crate::python::org_id::canonical_org_id;
use crate::python::tenancy::TenantContext;

/// The org that a call is for: `...` is the one of the current scope.
pub(super) enum OrgArgument<'py> {
    Current,
    Given(Bound<'py, PyAny>),
}

impl<'py> FromPyObject<'_, 'py> for OrgArgument<'py> {
    type Error = Infallible;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> Result<Self, Infallible> {
        Ok(if value.is_exact_instance_of::<PyEllipsis>() {
            Self::Current
        } else {
            Self::Given(value.to_owned())
        })
    }
}

impl OrgArgument<'_> {
    /// The org to propose for; None where orgs are not used.
    pub(super) fn proposer(self, py: Python<'_>) -> PyResult<Option<String>> {
        let Some(scope) = current(py)? else { return self.given() };
        match self.within(&scope)? {
            Some(org) => Ok(Some(org)),
            None if matches!(self, Self::Given(_)) => self.given(),
            None => Err(raise(
                py,
                "ScopeMissing",
                "propose acts for one org, and pre_org_resolution_scope is none: open tenant_scope(org_id) inside it, \
                 or give org_id"
                    .to_owned(),
                |_| Ok(()),
            )),
        }
    }

    /// The org whose entries may be seen; None for all, which no tenant scope allows.
    pub(super) fn reader(self, py: Python<'_>) -> PyResult<Option<String>> {
        let Some(scope) = current(py)? else { return self.given() };
        match self.within(&scope)? {
            Some(org) => Ok(Some(org)),
            None => self.given(),
        }
    }

    fn given(&self) -> PyResult<Option<String>> {
        match self {
            Self::Given(org) if !org.is_none() => canonical_org_id(org).map(Some),
            Self::Given(_) | Self::Current => Ok(None),
        }
    }

    /// The tenant of the current scope, which an org that is given may not contradict.
    fn within(&self, scope: &Bound<'_, TenantContext>) -> PyResult<Option<String>> {
        let py = scope.py();
        let refused = |class, message: &str| Err(raise(py, class, message.to_owned(), |_| Ok(())));
        if !scope.getattr("alive")?.extract::<bool>()? {
            return refused(
                "ScopeEnded",
                "the current scope has ended: open a new one with tenant_scope(org_id)",
            );
        }
        let Some(org) = scope.getattr("org_text")?.extract::<Option<String>>()? else {
            return Ok(None);
        };
        match self {
            Self::Given(_) if self.given()?.as_ref() != Some(&org) => refused(
                "ScopeConflict",
                "org_id is not the org of the current tenant_scope: leave it out",
            ),
            _ => Ok(Some(org)),
        }
    }
}

/// Nanoseconds of a positive duration, given in seconds or as a timedelta.
pub(super) fn nanoseconds(name: &str, value: &Bound<'_, PyAny>) -> PyResult<i64> {
    let refused = || {
        PyValueError::new_err(format!("{name} must be a positive number of seconds or a timedelta"))
    };
    // A number to Python, and no duration.
    if value.is_instance_of::<PyBool>() {
        return Err(refused());
    }
    let duration = match value.extract::<Duration>() {
        Ok(duration) => duration,
        Err(_) => Duration::try_from_secs_f64(value.extract().map_err(|_| refused())?)
            .map_err(|_| refused())?,
    };
    match i64::try_from(duration.as_nanos()) {
        Ok(nanoseconds) if nanoseconds > 0 => Ok(nanoseconds),
        _ => Err(refused()),
    }
}

/// How many may be in flight: a whole number from 1.
pub(super) fn capacity(value: &Bound<'_, PyAny>) -> PyResult<usize> {
    let whole = value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>();
    match value.extract() {
        Ok(capacity) if whole && capacity > 0 => Ok(capacity),
        _ => Err(PyValueError::new_err("capacity must be a whole number, at least 1")),
    }
}

/// Where the index takes the time from, in nanoseconds since 1970.
pub(super) enum Clock {
    /// The system's time when the index was made, and a monotonic clock from there: leases do not jump with it.
    System {
        began: i64,
        at: Instant,
    },
    Callable(Py<PyAny>),
    Manual(Py<PyAny>),
}

impl Clock {
    pub(super) fn from_argument(clock: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        match clock {
            None => {
                let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
                Ok(Self::System {
                    began: i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX),
                    at: Instant::now(),
                })
            }
            Some(clock) if clock.is_callable() => Ok(Self::Callable(clock.clone().unbind())),
            Some(clock) if clock.is_instance_of::<ManualClock>() => {
                Ok(Self::Manual(clock.clone().unbind()))
            }
            Some(_) => Err(PyTypeError::new_err(
                "clock must be None, a ManualClock, or a callable that returns integer nanoseconds",
            )),
        }
    }

    pub(super) fn now(&self, py: Python<'_>) -> PyResult<i64> {
        match self {
            Self::System { began, at } => {
                Ok(began.saturating_add(i64::try_from(at.elapsed().as_nanos()).unwrap_or(i64::MAX)))
            }
            Self::Manual(clock) => clock.bind(py).getattr(pyo3::intern!(py, "now_ns"))?.extract(),
            Self::Callable(callable) => {
                let now = callable.bind(py).call0()?;
                now.cast::<PyInt>()
                    .map_err(|_| PyTypeError::new_err("the clock must return integer nanoseconds"))?
                    .extract()
            }
        }
    }
}
