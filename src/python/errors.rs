//! Maps every error of the core to its Python class, once.
//!
//! The classes live in `interlock.errors`, because some have two bases (`InvalidOrgId` is also a
//! `ValueError`), which a native exception cannot have.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::dedup::IndexError;
use crate::dedup::identity::MAX_PAYLOAD_BYTES;
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

pub(super) fn canonicalization(py: Python<'_>, message: String, path: &str, reason: &str) -> PyErr {
    raise(py, "CanonicalizationError", message, |fields| {
        fields.set_item("path", path)?;
        fields.set_item("reason", reason)
    })
}

/// What the dedup index refuses; `id` is the one the caller gave.
pub(super) fn index(py: Python<'_>, error: &IndexError, id: Option<&Bound<'_, PyAny>>) -> PyErr {
    let message = error.to_string();
    match *error {
        IndexError::Full { capacity } => {
            raise(py, "DedupIndexFull", message, |fields| fields.set_item("capacity", capacity))
        }
        IndexError::Unknown => {
            raise(py, "ProposalNotFound", message, |fields| fields.set_item("id", id))
        }
        IndexError::Stale { attempt, from, to, .. } => {
            raise(py, "StaleAttempt", message, |fields| {
                fields.set_item("from_", from.as_str())?;
                fields.set_item("to", to.as_str())?;
                fields.set_item("attempt", attempt)
            })
        }
        IndexError::Illegal { from, to } => raise(py, "LifecycleError", message, |fields| {
            fields.set_item("from_", from.as_str())?;
            fields.set_item("to", to.as_str())
        }),
        IndexError::Snapshot(_) => raise(py, "SnapshotError", message, |_| Ok(())),
    }
}

/// A word that is not a lifecycle state.
pub(super) fn unknown_state(py: Python<'_>, word: &str) -> PyErr {
    let shown: String = word.chars().take(40).collect();
    raise(py, "UnknownState", format!("no such lifecycle state: {shown:?}"), |fields| {
        fields.set_item("state", word)
    })
}

/// A proposal that is not stored.
pub(super) fn proposal_too_large(py: Python<'_>, size: usize) -> PyErr {
    let message = format!(
        "payload and context have {size} bytes in canonical form, and {MAX_PAYLOAD_BYTES} are stored at most: pass a \
         reference to the data instead"
    );
    raise(py, "ProposalTooLarge", message, |fields| {
        fields.set_item("size", size)?;
        fields.set_item("limit", MAX_PAYLOAD_BYTES)
    })
}
