//! Binds `hashing::shell`.

use std::borrow::Cow;

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::errors;
use crate::hashing::digest::{Digest, Hex, HexLength};
use crate::hashing::shell::{ShellError, canonical, why_kept};

/// Text longer than this many bytes is read without the interpreter lock.
const DETACH: usize = 2 << 10;

/// Return the canonical form of a shell command: one text for all spellings that run the same.
///
/// What the canonical form does not cover is returned as it is. It is itself a command that runs the
/// same under `dash -c`, `bash -c` and `bash --posix -c`.
///
/// Raises `CanonicalizationError` if the command holds a NUL or a lone surrogate.
#[pyfunction]
pub(super) fn canonical_shell<'py>(
    command: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyString>> {
    let py = command.py();
    let text = utf8(command)?;
    match detached(py, text, || canonical(text)).map_err(|error| errors::shell(py, error))? {
        Cow::Borrowed(_) if command.is_exact_instance_of::<PyString>() => Ok(command.clone()),
        form => Ok(PyString::new(py, &form)),
    }
}

/// Return the first `length` hex digits of the SHA-256 of `canonical_shell(command)` in UTF-8.
///
/// Raises `CanonicalizationError` if the command holds a NUL or a lone surrogate, and `ValueError` if
/// `length` is not from 1 to 64.
#[pyfunction]
#[pyo3(
    signature = (command, *, length = HexLength::SHORT),
    text_signature = "(command, *, length=12)"
)]
pub(super) fn shell_command_hash<'py>(
    command: &Bound<'py, PyString>,
    length: HexLength,
) -> PyResult<Bound<'py, PyString>> {
    let py = command.py();
    let text = utf8(command)?;
    let hash =
        || -> Result<Hex, ShellError> { Ok(Digest::of(canonical(text)?.as_bytes()).hex(length)) };
    let hex = detached(py, text, hash).map_err(|error| errors::shell(py, error))?;
    Ok(PyString::new(py, &hex))
}

/// Return why a command is its own canonical form as it is written, or None if it is normalised.
#[pyfunction]
pub(super) fn why_shell_is_kept(command: &Bound<'_, PyString>) -> PyResult<Option<String>> {
    let text = utf8(command)?;
    Ok(detached(command.py(), text, || why_kept(text)).map(|why| why.to_string()))
}

/// The result of `work` on `text`, without the interpreter lock if the text is long.
pub(super) fn detached<T: Send>(py: Python<'_>, text: &str, work: impl FnOnce() -> T + Send) -> T {
    if text.len() > DETACH { py.detach(work) } else { work() }
}

/// The UTF-8 of a command.
pub(super) fn utf8<'a>(command: &'a Bound<'_, PyString>) -> PyResult<&'a str> {
    command.to_str().map_err(|raised| {
        let py = command.py();
        match raised.value(py).getattr("start").and_then(|start| start.extract()) {
            Ok(position) => errors::lone_surrogate(py, position),
            Err(_) => raised,
        }
    })
}
