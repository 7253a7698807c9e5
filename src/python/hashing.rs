//! Binds `hashing`.

mod arguments;
mod scalar;
mod walk;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

pub(super) use self::arguments::{Absent, JsonText};
use self::arguments::{Body, argument_text};
use self::walk::{Position, Refusal};
use super::errors;
use crate::hashing::digest::HexLength;
use crate::hashing::json::{JsonError, Mode, Sink, text};
use crate::hashing::{http, operation};

/// Text longer than this is read without the interpreter lock.
const DETACH: usize = 16 << 10;

/// Return the canonical JSON of a value: RFC 8785, except that integers are exact.
#[pyfunction]
#[pyo3(signature = (value, *, strict_jcs = false))]
pub(super) fn canonical_json<'py>(
    value: &Bound<'py, PyAny>,
    strict_jcs: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut sink = Sink::bytes(if strict_jcs { Mode::Jcs } else { Mode::Exact });
    write_json(&mut sink, value, Position::WHOLE)?;
    Ok(PyBytes::new(value.py(), sink.as_bytes()))
}

/// Return the first `length` hex digits of the SHA-256 of `canonical_json(value)`.
#[pyfunction]
#[pyo3(signature = (value, *, length = HexLength::FULL), text_signature = "(value, *, length=64)")]
pub(super) fn json_hash<'py>(
    value: &Bound<'py, PyAny>,
    length: HexLength,
) -> PyResult<Bound<'py, PyString>> {
    let mut sink = Sink::digest(Mode::Exact);
    write_json(&mut sink, value, Position::WHOLE)?;
    Ok(hex(value.py(), sink, length))
}

/// Return `METHOD SP path`, then `SP body` if a body is present.
#[pyfunction]
#[pyo3(signature = (method, path, body = Body::Absent), text_signature = "(method, path, body=ABSENT)")]
pub(super) fn canonical_http<'py>(
    py: Python<'py>,
    method: &Bound<'py, PyString>,
    path: &Bound<'py, PyString>,
    body: Body<'py>,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut sink = Sink::bytes(Mode::Exact);
    write_http(&mut sink, method, path, body)?;
    Ok(PyBytes::new(py, sink.as_bytes()))
}

/// Return the first `length` hex digits of the SHA-256 of `canonical_http(method, path, body)`.
#[pyfunction]
#[pyo3(
    signature = (method, path, body = Body::Absent, *, length = HexLength::SHORT),
    text_signature = "(method, path, body=ABSENT, *, length=12)"
)]
pub(super) fn http_request_hash<'py>(
    py: Python<'py>,
    method: &Bound<'py, PyString>,
    path: &Bound<'py, PyString>,
    body: Body<'py>,
    length: HexLength,
) -> PyResult<Bound<'py, PyString>> {
    let mut sink = Sink::digest(Mode::Exact);
    write_http(&mut sink, method, path, body)?;
    Ok(hex(py, sink, length))
}

/// Return the hash of the canonical JSON of `["database", table, primary_key, operation(, values)]`.
#[pyfunction]
#[pyo3(
    signature = (table, primary_key, operation, values = Body::Absent, *, length = HexLength::SHORT),
    text_signature = "(table, primary_key, operation, values=ABSENT, *, length=12)"
)]
pub(super) fn database_operation_hash<'py>(
    py: Python<'py>,
    table: &Bound<'py, PyString>,
    primary_key: &Bound<'py, PyAny>,
    operation: &Bound<'py, PyString>,
    values: Body<'py>,
    length: HexLength,
) -> PyResult<Bound<'py, PyString>> {
    let mut sink = Sink::digest(Mode::Exact);
    write_database(&mut sink, table, primary_key, operation, values)?;
    Ok(hex(py, sink, length))
}

/// Return the hash of the canonical JSON of `["notification", recipient, channel, message]`.
#[pyfunction]
#[pyo3(
    signature = (recipient, channel, message, *, length = HexLength::SHORT),
    text_signature = "(recipient, channel, message, *, length=12)"
)]
pub(super) fn notification_hash<'py>(
    py: Python<'py>,
    recipient: &Bound<'py, PyString>,
    channel: &Bound<'py, PyString>,
    message: &Bound<'py, PyString>,
    length: HexLength,
) -> PyResult<Bound<'py, PyString>> {
    let mut sink = Sink::digest(Mode::Exact);
    write_notification(&mut sink, recipient, channel, message)?;
    Ok(hex(py, sink, length))
}

/// Writes a value, which may be marked JSON text.
fn write_json(sink: &mut Sink, value: &Bound<'_, PyAny>, position: Position) -> PyResult<()> {
    match value.cast_exact::<JsonText>() {
        Ok(marked) => write_text(sink, value.py(), marked.get(), position),
        Err(_) => walk::write_value(sink, value, position),
    }
}

fn write_text(
    sink: &mut Sink,
    py: Python<'_>,
    marked: &JsonText,
    position: Position,
) -> PyResult<()> {
    let (mode, limits) = (sink.mode(), *sink.limits());
    let raise = |mut error: JsonError| {
        error.path.replace_range(..1, position.root);
        errors::json(py, &error)
    };
    let text = marked.utf8(py)?.map_err(raise)?;
    let out = sink.buffer();
    let mut write = || text::write_text(out, text, mode, &limits, position.outer);
    if text.len() > DETACH { py.detach(&mut write) } else { write() }.map_err(raise)
}

fn write_http(
    sink: &mut Sink,
    method: &Bound<'_, PyString>,
    path: &Bound<'_, PyString>,
    body: Body<'_>,
) -> PyResult<()> {
    let py = method.py();
    let (method, path) = (argument_text(method, "method")?, argument_text(path, "path")?);
    http::write_request_line(sink.buffer(), method, path)
        .map_err(|error| errors::http(py, error))?;
    let Body::Present(body) = body else {
        return Ok(());
    };
    sink.raw(b" ");
    let Ok(verbatim) = body.cast::<PyBytes>() else {
        return write_json(sink, &body, Position::WHOLE);
    };
    let bytes = verbatim.as_bytes();
    if bytes.len() > DETACH {
        py.detach(|| sink.verbatim(bytes));
    } else {
        sink.verbatim(bytes);
    }
    Ok(())
}

fn write_database(
    sink: &mut Sink,
    table: &Bound<'_, PyString>,
    primary_key: &Bound<'_, PyAny>,
    operation: &Bound<'_, PyString>,
    values: Body<'_>,
) -> PyResult<()> {
    let (table, operation) =
        (argument_text(table, "table")?, argument_text(operation, "operation")?);
    let values = match values {
        Body::Absent => None,
        Body::Present(values) => Some(values),
    };
    operation::write_database(
        sink,
        table,
        |sink| {
            write_json(sink, primary_key, Position { root: "$.primary_key", outer: 1 })
                .map_err(Refusal::Raised)
        },
        operation,
        values.as_ref().map(|values| {
            |sink: &mut Sink| {
                write_json(sink, values, Position { root: "$.values", outer: 1 })
                    .map_err(Refusal::Raised)
            }
        }),
    )
    .map_err(|refusal| refused(primary_key.py(), refusal))
}

fn write_notification(
    sink: &mut Sink,
    recipient: &Bound<'_, PyString>,
    channel: &Bound<'_, PyString>,
    message: &Bound<'_, PyString>,
) -> PyResult<()> {
    let text = argument_text(message, "message")?;
    operation::write_notification(
        sink,
        argument_text(recipient, "recipient")?,
        argument_text(channel, "channel")?,
        text,
    )
    .map_err(|fault| refused(message.py(), fault.into()))
}

/// A refusal that is about the payload as a whole.
fn refused(py: Python<'_>, refusal: Refusal) -> PyErr {
    match refusal {
        Refusal::Fault(fault) => errors::json(py, &JsonError::at("$", [], fault)),
        Refusal::Raised(raised) => raised,
    }
}

fn hex(py: Python<'_>, mut sink: Sink, length: HexLength) -> Bound<'_, PyString> {
    PyString::new(py, &sink.finish().hex(length))
}
