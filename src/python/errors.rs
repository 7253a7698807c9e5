//! Maps every error of the core to its Python class, once.
//!
//! The classes live in `interlock.errors`, because some have two bases (`InvalidOrgId` is also a
//! `ValueError`), which a native exception cannot have.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::hashing::form::FormError;
use crate::hashing::http::HttpError;
use crate::hashing::json::JsonError;
use crate::hashing::shell::ShellError;
use crate::targets::GrammarError;

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

/// A value that has no canonical JSON.
pub(super) fn json(py: Python<'_>, error: &JsonError) -> PyErr {
    canonicalization(py, error.to_string(), &error.path, error.fault.reason())
}

/// A method or path that no request has.
pub(super) fn http(py: Python<'_>, error: HttpError) -> PyErr {
    canonicalization(py, error.to_string(), error.argument(), error.reason())
}

/// A command that no shell can be given.
pub(super) fn shell(py: Python<'_>, error: ShellError) -> PyErr {
    let ShellError::Nul { .. } = error;
    canonicalization(py, error.to_string(), "", "nul")
}

/// A command that has no UTF-8.
pub(super) fn lone_surrogate(py: Python<'_>, position: usize) -> PyErr {
    let message = format!(
        "the command holds a lone surrogate at character {position}, which has no UTF-8: decode it \
         without surrogateescape"
    );
    canonicalization(py, message, "", "surrogate")
}

/// A payload made ready for another thread that has no digest.
pub(super) fn form(py: Python<'_>, error: FormError) -> PyErr {
    match error {
        FormError::Shell(error) => shell(py, error),
        FormError::Json(error) => json(py, &error),
    }
}

/// The same error, saying which payload of a batch it is about.
pub(super) fn in_batch(py: Python<'_>, raised: PyErr, index: usize) -> PyErr {
    let place = || -> PyResult<PyErr> {
        let value = raised.value(py);
        value.call_method1("in_batch", (index,)).map(PyErr::from_value)
    };
    place().unwrap_or_else(|_| {
        // Not an error of ours: a note leaves its class and text alone (PEP 678).
        let note = raised.value(py).call_method1("add_note", (format!("in payload {index}"),));
        note.map_or_else(|why| why, |_| raised)
    })
}

/// A grammar that cannot be registered.
pub(super) fn grammar(py: Python<'_>, error: &GrammarError) -> PyErr {
    raise(py, "GrammarError", error.to_string(), |fields| fields.set_item("place", &error.place))
}

fn canonicalization(py: Python<'_>, message: String, path: &str, reason: &str) -> PyErr {
    raise(py, "CanonicalizationError", message, |fields| {
        fields.set_item("path", path)?;
        fields.set_item("reason", reason)
    })
}
