//! Binds `hashing`.

mod arguments;
mod batch;
mod borrowed;
mod leaves;
mod members;
pub(super) mod payload;
mod refusal;
mod scalar;
mod walk;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

pub(super) use self::arguments::{Absent, Body, JsonText};
pub(super) use self::batch::HashBatch;
pub(super) use self::borrowed::ascii;
use self::payload::Rest;
use crate::hashing::digest::HexLength;
use crate::hashing::json::{Mode, Sink};

/// Return the canonical JSON of a value: RFC 8785, except that integers are exact.
#[pyfunction]
#[pyo3(signature = (value, *, strict_jcs = false))]
pub(super) fn canonical_json<'py>(
    value: &Bound<'py, PyAny>,
    strict_jcs: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut sink = Sink::bytes(if strict_jcs { Mode::Jcs } else { Mode::Exact });
    Rest::whole(value).finish(&mut sink)?;
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
    Rest::whole(value).finish(&mut sink)?;
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
    payload::begin_http(&mut sink, method, path, body)?.finish(&mut sink)?;
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
    payload::begin_http(&mut sink, method, path, body)?.finish(&mut sink)?;
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
    payload::begin_database(&mut sink, table, primary_key, operation, values)?.finish(&mut sink)?;
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
    payload::write_notification(&mut sink, recipient, channel, message)?;
    Ok(hex(py, sink, length))
}

fn hex(py: Python<'_>, mut sink: Sink, length: HexLength) -> Bound<'_, PyString> {
    PyString::new(py, &sink.finish().hex(length))
}
