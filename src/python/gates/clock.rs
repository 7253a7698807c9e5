//! Binds `gates::clock`: the system's clock, one moved by hand, or a callable.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyInt;

use crate::gates::clock::{self, SECOND};
use crate::gates::limit::LONGEST;

use super::arguments::non_negative;

/// A clock that only its owner moves, for tests. `start` is in seconds.
#[pyclass(frozen, module = "interlock.gates")]
pub(in crate::python) struct ManualClock {
    inner: clock::ManualClock,
}

#[pymethods]
impl ManualClock {
    #[new]
    #[pyo3(signature = (start = 0.0))]
    fn new(start: f64) -> PyResult<Self> {
        Ok(Self { inner: clock::ManualClock::new(instant(start)?) })
    }

    /// Move it by `seconds`, which may be negative. It does not go below 0.
    fn advance(&self, seconds: f64) -> PyResult<()> {
        self.inner.advance(duration(seconds)?);
        Ok(())
    }

    /// Set it to `seconds`, backwards too.
    fn set(&self, seconds: f64) -> PyResult<()> {
        self.inner.set(instant(seconds)?);
        Ok(())
    }

    /// What it shows, in seconds.
    #[getter]
    fn now(&self) -> f64 {
        super::reports::seconds(self.inner.now())
    }

    /// What it shows, in nanoseconds.
    #[getter]
    fn now_ns(&self) -> u64 {
        self.inner.now()
    }

    fn __repr__(&self) -> String {
        format!("ManualClock({})", self.now())
    }
}

/// Where a table takes the time from.
pub(super) enum ClockSource {
    Monotonic,
    Manual(Py<ManualClock>),
    Callable(Py<PyAny>),
}

impl ClockSource {
    pub(super) fn from_argument(clock: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(clock) = clock else { return Ok(Self::Monotonic) };
        if let Ok(manual) = clock.cast::<ManualClock>() {
            return Ok(Self::Manual(manual.clone().unbind()));
        }
        if clock.is_callable() {
            return Ok(Self::Callable(clock.clone().unbind()));
        }
        Err(PyTypeError::new_err(
            "clock must be None, a ManualClock, or a callable that returns integer nanoseconds",
        ))
    }

    /// Nanoseconds now. Times that a test makes up count as 0 if negative, as the latest if later.
    #[allow(clippy::inline_always)] // the result goes through memory otherwise
    #[inline(always)]
    pub(super) fn now(&self, py: Python<'_>, coarse: bool) -> PyResult<u64> {
        match self {
            Self::Monotonic => Ok(clock::monotonic(coarse)),
            Self::Manual(clock) => Ok(clock.get().inner.now().min(LONGEST)),
            Self::Callable(callable) => {
                let now = callable.bind(py).call0()?;
                let now = now.cast::<PyInt>().map_err(|_| {
                    PyTypeError::new_err("the clock must return integer nanoseconds")
                })?;
                Ok(non_negative(now)?.unwrap_or_default().min(LONGEST))
            }
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // the cast saturates
fn instant(seconds: f64) -> PyResult<u64> {
    finite(seconds).map(|nanos| nanos as u64)
}

#[allow(clippy::cast_possible_truncation)] // the cast saturates
fn duration(seconds: f64) -> PyResult<i64> {
    finite(seconds).map(|nanos| nanos as i64)
}

#[allow(clippy::cast_precision_loss)] // a power of ten
fn finite(seconds: f64) -> PyResult<f64> {
    if seconds.is_finite() {
        return Ok((seconds * SECOND as f64).round());
    }
    Err(PyValueError::new_err(format!("seconds must be finite, got {seconds}")))
}
