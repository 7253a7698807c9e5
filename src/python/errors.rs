//! Maps every error of the core to its Python class, once.
//!
//! The classes live in `interlock.errors`, because some have two bases (`InvalidOrgId` is also a
//! `ValueError`), which a native exception cannot have.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Raises `interlock.errors.<class>(message, **fields)`.
pub(super) fn raise<'py>(
    py: Python<'py>,
    class: &str,
    message: String,
    fields: impl FnOnce(&Bound<'py, PyDict>) -> PyResult<()>,
) -> PyErr {
    let build = || -> PyResult<PyErr> {
        let kwargs = PyDict::new(py);
        fields(&kwargs)?;
        let class = py.import("interlock.errors")?.getattr(class)?;
        Ok(PyErr::from_value(class.call((message.clone(),), Some(&kwargs))?))
    };
    build().unwrap_or_else(|why| {
        let err = PyRuntimeError::new_err(message);
        err.set_cause(py, Some(why));
        err
    })
}
