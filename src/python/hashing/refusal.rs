//! Why a payload was not written.

use pyo3::exceptions::PyUnicodeEncodeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::hashing::json::Fault;

/// Why a walk ended early: the payload's fault, or an exception of its own code.
pub(super) enum Refusal {
    Fault(Box<Fault>),
    Raised(PyErr),
}

impl From<Fault> for Box<Refusal> {
    fn from(fault: Fault) -> Self {
        Box::new(fault).into()
    }
}

impl From<Box<Fault>> for Box<Refusal> {
    #[cold]
    fn from(fault: Box<Fault>) -> Self {
        Box::new(Refusal::Fault(fault))
    }
}

impl From<PyErr> for Box<Refusal> {
    #[cold]
    fn from(raised: PyErr) -> Self {
        Box::new(Refusal::Raised(raised))
    }
}

/// The UTF-8 of a string; `what` names it in the fault.
#[inline]
pub(super) fn utf8<'a>(
    text: &'a Bound<'_, PyString>,
    what: &'static str,
) -> Result<&'a str, Box<Refusal>> {
    match text.to_str() {
        Ok(text) => Ok(text),
        Err(raised) => Err(without_utf8(text.py(), raised, what).into()),
    }
}

#[cold]
fn without_utf8(py: Python<'_>, raised: PyErr, what: &'static str) -> Refusal {
    if raised.is_instance_of::<PyUnicodeEncodeError>(py) {
        Refusal::Fault(Box::new(Fault::Surrogate(what)))
    } else {
        Refusal::Raised(raised)
    }
}
