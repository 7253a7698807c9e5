//! Reads the arguments that gates share, and maps the errors of `gates`.

use std::borrow::Cow;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString, PyTuple};

use crate::gates::clock::SECOND;
use crate::gates::{Budget, GateError};

use crate::python::errors::raise;

/// Maps every error of `gates`, once.
pub(super) fn gate_error(py: Python<'_>, why: &GateError) -> PyErr {
    match why {
        GateError::Limit { field, .. } => {
            raise(py, "GateLimitError", why.to_string(), |fields| fields.set_item("field", field))
        }
        GateError::EventName { .. } | GateError::TooManyEvents => {
            raise(py, "GateLimitError", why.to_string(), |fields| fields.set_item("field", "event"))
        }
        GateError::Shared { path, .. } => {
            raise(py, "SharedGatesError", why.to_string(), |fields| fields.set_item("path", path))
        }
    }
}

/// A number of any size, the largest ones as the largest here; `None` if it is negative.
#[inline]
pub(super) fn non_negative(given: &Bound<'_, PyInt>) -> PyResult<Option<u64>> {
    match given.extract::<u64>() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Ok((!given.lt(0)?).then_some(u64::MAX)),
    }
}

/// A number of emissions or keys.
#[inline]
pub(super) fn count(field: &'static str, given: &Bound<'_, PyAny>) -> PyResult<u64> {
    let given = given.cast::<PyInt>()?;
    non_negative(given)?.ok_or_else(|| {
        let problem = "must not be negative";
        gate_error(given.py(), &GateError::Limit { field, problem, given: given.to_string() })
    })
}

/// `max_keys=`, of any size.
#[derive(Clone, Copy)]
pub(super) struct MaxKeys(pub(super) usize);

/// `max_keys` unless told otherwise.
pub(super) const USUAL_KEYS: MaxKeys = MaxKeys(16_384);

impl<'py> FromPyObject<'_, 'py> for MaxKeys {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self(usize::try_from(count("max_keys", &given)?).unwrap_or(usize::MAX)))
    }
}

/// A length of time in nanoseconds, from seconds.
#[inline]
pub(super) fn nanos(py: Python<'_>, field: &'static str, seconds: f64) -> PyResult<u64> {
    #[allow(clippy::cast_precision_loss)] // a power of ten
    let nanos = (seconds * SECOND as f64).round();
    if seconds.is_finite() && nanos >= 1.0 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // the cast saturates
        return Ok(nanos as u64);
    }
    let problem = "must be finite and at least one nanosecond";
    Err(gate_error(py, &GateError::Limit { field, problem, given: seconds.to_string() }))
}

/// The bytes that identify a key. Strings with lone surrogates are keys too.
pub(super) fn key_text<'a>(key: &'a Bound<'_, PyString>) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(text) = key.to_str() {
        return Ok(Cow::Borrowed(text.as_bytes()));
    }
    let bytes = key.call_method1("encode", ("utf-8", "surrogatepass"))?;
    Ok(Cow::Owned(bytes.cast::<PyBytes>()?.as_bytes().to_vec()))
}

/// Stands for the event budget that a gate has unless told otherwise: the larger of 600 emissions
/// in 60 s and the gate's own rate.
#[pyclass(frozen, module = "interlock.gates")]
pub(in crate::python) struct DefaultEventBudget;

#[pymethods]
impl DefaultEventBudget {
    #[new]
    const fn new() -> Self {
        Self
    }

    #[allow(clippy::unused_self)] // Python's protocol
    const fn __repr__(&self) -> &'static str {
        "DEFAULT"
    }
}

/// `event_budget=`: the default, None, a number, or (number, seconds).
#[derive(Clone, Copy)]
pub(super) enum BudgetArgument {
    Default,
    Unlimited,
    InTheSameWindow(u64),
    Of(u64, f64),
}

impl<'py> FromPyObject<'_, 'py> for BudgetArgument {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if given.is_none() {
            return Ok(Self::Unlimited);
        }
        if given.is_instance_of::<DefaultEventBudget>() {
            return Ok(Self::Default);
        }
        if let Ok(pair) = given.cast::<PyTuple>()
            && pair.len() == 2
        {
            return Ok(Self::Of(
                count("event_budget", &pair.get_item(0)?)?,
                pair.get_item(1)?.extract()?,
            ));
        }
        if given.is_instance_of::<PyInt>() {
            return Ok(Self::InTheSameWindow(count("event_budget", &given)?));
        }
        Err(PyTypeError::new_err("event_budget must be (emissions, seconds), an int, or None"))
    }
}

impl BudgetArgument {
    /// The budget of an event whose own window is `span`.
    pub(super) fn over(self, py: Python<'_>, span: u64) -> PyResult<Budget> {
        Ok(match self {
            Self::Default => Budget::Default,
            Self::Unlimited => Budget::Unlimited,
            Self::InTheSameWindow(max) => Budget::Of(max, span),
            Self::Of(max, seconds) => Budget::Of(max, nanos(py, "event_budget", seconds)?),
        })
    }
}
