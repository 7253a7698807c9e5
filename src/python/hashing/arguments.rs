//! Arguments of the hashing functions that are more than a value.

use std::convert::Infallible;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::refusal::{Refusal, utf8};
use super::walk::Position;
use crate::hashing::digest::{HexLength, HexLengthError};
use crate::hashing::json::{JsonError, text};
use crate::python::errors;

/// The type of `ABSENT`: the request has no body, the operation no values. `None` is a value.
#[pyclass(frozen, module = "interlock.hashing")]
pub(in crate::python) struct Absent;

#[pymethods]
impl Absent {
    #[new]
    fn new() -> Self {
        Self
    }

    #[allow(clippy::unused_self)] // Python's calling convention
    fn __repr__(&self) -> &'static str {
        "ABSENT"
    }

    /// Copies and pickles are the one object, by its name in the module.
    #[allow(clippy::unused_self)]
    fn __reduce__(&self) -> &'static str {
        "ABSENT"
    }
}

/// JSON text that stands for the value it denotes: `JSONText('{"a": 1}')` is the body `{"a": 1}`.
///
/// The text is parsed when it is hashed. Integers keep every digit, floats round to the nearest
/// double, a repeated name or a lone surrogate is an error. Bytes must be UTF-8.
#[pyclass(frozen, name = "JSONText", module = "interlock.hashing")]
pub(in crate::python) struct JsonText {
    text: Text,
}

enum Text {
    String(Py<PyString>),
    Bytes(Py<PyBytes>),
}

#[pymethods]
impl JsonText {
    #[new]
    fn new(text: &Bound<'_, PyAny>) -> PyResult<Self> {
        let text = if let Ok(string) = text.cast::<PyString>() {
            Text::String(string.clone().unbind())
        } else if let Ok(bytes) = text.cast::<PyBytes>() {
            Text::Bytes(bytes.clone().unbind())
        } else {
            let kind = text.get_type().qualname()?;
            return Err(PyTypeError::new_err(format!("JSONText takes str or bytes, not {kind}")));
        };
        Ok(Self { text })
    }

    /// The text as given.
    #[getter]
    fn text<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        match &self.text {
            Text::String(string) => string.bind(py).clone().into_any(),
            Text::Bytes(bytes) => bytes.bind(py).clone().into_any(),
        }
    }

    /// Without the text itself: it may be long, or secret.
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!(
            "JSONText(<{} of length {}>)",
            self.text(py).get_type().qualname()?,
            self.text(py).len()?
        ))
    }

    fn __eq__(&self, py: Python<'_>, other: &Self) -> PyResult<bool> {
        self.text(py).eq(other.text(py))
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        self.text(py).hash()
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> (Bound<'py, pyo3::types::PyType>, (Bound<'py, PyAny>,)) {
        (slf.get_type(), (slf.get().text(slf.py()),))
    }
}

impl JsonText {
    /// The text as UTF-8.
    pub(super) fn utf8<'a>(&'a self, py: Python<'a>, position: Position) -> PyResult<&'a str> {
        match &self.text {
            Text::Bytes(bytes) => text::decode(bytes.as_bytes(py))
                .map_err(|error| errors::json(py, &error.below(position.root))),
            Text::String(string) => argument_text(string.bind(py), position.root),
        }
    }
}

/// A body, or values: present, even if `None`, or absent.
pub(in crate::python) enum Body<'py> {
    Absent,
    Present(Bound<'py, PyAny>),
}

impl<'py> Body<'py> {
    pub(super) fn of(value: Bound<'py, PyAny>) -> Self {
        if value.is_exact_instance_of::<Absent>() { Self::Absent } else { Self::Present(value) }
    }
}

impl<'py> FromPyObject<'_, 'py> for Body<'py> {
    type Error = Infallible;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> Result<Self, Infallible> {
        Ok(Self::of(value.to_owned()))
    }
}

impl FromPyObject<'_, '_> for HexLength {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let digits = match value.extract::<i64>() {
            Err(raised)
                if !raised.is_instance_of::<pyo3::exceptions::PyOverflowError>(value.py()) =>
            {
                return Err(raised);
            }
            digits => digits.unwrap_or_default(),
        };
        Self::new(digits).map_err(|why: HexLengthError| PyValueError::new_err(why.to_string()))
    }
}

/// The UTF-8 of an argument that is text; `name` is the path of it in an error.
pub(super) fn argument_text<'a>(text: &'a Bound<'_, PyString>, name: &str) -> PyResult<&'a str> {
    utf8(text, "the text").map_err(|refusal| match *refusal {
        Refusal::Fault(fault) => errors::json(text.py(), &JsonError::at(name, [], *fault)),
        Refusal::Raised(raised) => raised,
    })
}
