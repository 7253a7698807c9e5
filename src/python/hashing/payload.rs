//! The payload kinds: what each writes before its last value, which may be large or marked JSON text.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::arguments::{Body, JsonText, argument_text};
use super::refusal::Refusal;
use super::walk::{Position, write_value};
use crate::hashing::json::{JsonError, Sink, text};
use crate::hashing::{http, operation};
use crate::python::errors;

/// Bytes and text longer than this are read without the interpreter lock.
const DETACH: usize = 16 << 10;

/// The last value of a payload, if it has one, and what follows it.
pub(in crate::python) struct Rest<'py> {
    pub(super) value: Option<(Bound<'py, PyAny>, Position)>,
    pub(super) suffix: &'static [u8],
}

impl<'py> Rest<'py> {
    /// A payload that is one JSON value.
    pub(super) fn whole(value: &Bound<'py, PyAny>) -> Self {
        Self { value: Some((value.clone(), Position::WHOLE)), suffix: b"" }
    }

    /// A payload that is written, but for what ends it.
    pub(super) fn nothing(suffix: &'static [u8]) -> Self {
        Self { value: None, suffix }
    }

    /// Writes it.
    pub(in crate::python) fn finish(self, sink: &mut Sink) -> PyResult<()> {
        if let Some((value, position)) = self.value {
            write_json(sink, &value, position)?;
        }
        sink.raw(self.suffix);
        Ok(())
    }
}

/// Writes a request up to its body, or all of it if the body is not JSON.
pub(in crate::python) fn begin_http<'py>(
    sink: &mut Sink,
    method: &Bound<'py, PyString>,
    path: &Bound<'py, PyString>,
    body: Body<'py>,
) -> PyResult<Rest<'py>> {
    let py = method.py();
    let (method, path) = (argument_text(method, "method")?, argument_text(path, "path")?);
    http::write_request_line(sink.buffer(), method, path)
        .map_err(|error| errors::http(py, error))?;
    let Body::Present(body) = body else {
        return Ok(Rest::nothing(b""));
    };
    sink.raw(b" ");
    let Ok(verbatim) = body.cast::<PyBytes>() else {
        return Ok(Rest { value: Some((body, Position::WHOLE)), suffix: b"" });
    };
    let bytes = verbatim.as_bytes();
    if bytes.len() > DETACH {
        py.detach(|| sink.verbatim(bytes));
    } else {
        sink.verbatim(bytes);
    }
    Ok(Rest::nothing(b""))
}

/// Writes a database operation up to its values.
pub(in crate::python) fn begin_database<'py>(
    sink: &mut Sink,
    table: &Bound<'py, PyString>,
    primary_key: &Bound<'py, PyAny>,
    operation: &Bound<'py, PyString>,
    values: Body<'py>,
) -> PyResult<Rest<'py>> {
    let py = table.py();
    let (table, operation) =
        (argument_text(table, "table")?, argument_text(operation, "operation")?);
    let position = Position { root: "$.primary_key", outer: 1 };
    let write_key =
        |sink: &mut Sink| write_json(sink, primary_key, position).map_err(Box::<Refusal>::from);
    operation::open_database(sink, table, write_key, operation)
        .map_err(|refusal| raise(py, *refusal))?;
    let Body::Present(values) = values else {
        return Ok(Rest::nothing(operation::END));
    };
    sink.raw(operation::BEFORE_VALUES);
    let position = Position { root: "$.values", outer: 1 };
    Ok(Rest { value: Some((values, position)), suffix: operation::END })
}

/// Writes a notification.
pub(in crate::python) fn write_notification(
    sink: &mut Sink,
    recipient: &Bound<'_, PyString>,
    channel: &Bound<'_, PyString>,
    message: &Bound<'_, PyString>,
) -> PyResult<()> {
    let py = message.py();
    let (recipient, channel) =
        (argument_text(recipient, "recipient")?, argument_text(channel, "channel")?);
    let message = argument_text(message, "message")?;
    operation::write_notification(sink, recipient, channel, message)
        .map_err(|fault| raise(py, Refusal::Fault(fault)))
}

/// Writes a value, which may be marked JSON text.
fn write_json(sink: &mut Sink, value: &Bound<'_, PyAny>, position: Position) -> PyResult<()> {
    match value.cast_exact::<JsonText>() {
        Ok(marked) => write_text(sink, value.py(), marked.get(), position),
        Err(_) => write_value(sink, value, position),
    }
}

fn write_text(
    sink: &mut Sink,
    py: Python<'_>,
    marked: &JsonText,
    position: Position,
) -> PyResult<()> {
    let (mode, limits) = (sink.mode(), *sink.limits());
    let text = marked.utf8(py, position)?;
    let out = sink.buffer();
    let mut write = || text::write_text(out, text, mode, &limits, position.outer);
    let written = if text.len() > DETACH { py.detach(&mut write) } else { write() };
    written.map_err(|error| errors::json(py, &error.below(position.root)))
}

/// A refusal that is about the payload as a whole.
fn raise(py: Python<'_>, refusal: Refusal) -> PyErr {
    match refusal {
        Refusal::Fault(fault) => errors::json(py, &JsonError::at("$", [], *fault)),
        Refusal::Raised(raised) => raised,
    }
}
