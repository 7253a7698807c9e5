//! The kinds of payload in a batch, and how the arguments of each are given.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use crate::hashing::digest::HexLength;
use crate::hashing::json::Sink;
use crate::python::hashing::arguments::Body;
use crate::python::hashing::payload::{self, Rest};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Shell,
    Http,
    Json,
    Database,
    Notification,
}

const HTTP: &[&str] = &["method", "path", "body"];
const DATABASE: &[&str] = &["table", "primary_key", "operation", "values"];
const NOTIFICATION: &[&str] = &["recipient", "channel", "message"];

impl Kind {
    pub(super) fn parse(kind: &str) -> PyResult<Self> {
        Ok(match kind {
            "shell" => Self::Shell,
            "http" => Self::Http,
            "json" => Self::Json,
            "database" => Self::Database,
            "notification" => Self::Notification,
            _ => {
                return Err(PyValueError::new_err(format!(
                    "kind must be shell, http, json, database or notification, not {kind:?}"
                )));
            }
        })
    }

    /// The default length of the kind's own function.
    pub(super) fn length(self) -> HexLength {
        if self == Self::Json { HexLength::FULL } else { HexLength::SHORT }
    }

    /// Writes a payload up to its last value.
    pub(super) fn begin<'py>(
        self,
        sink: &mut Sink,
        payload: &Bound<'py, PyAny>,
    ) -> PyResult<Rest<'py>> {
        match self {
            Self::Json | Self::Shell => Ok(Rest::whole(payload)),
            Self::Http => {
                let [method, path, body] = arguments(payload, HTTP)?;
                let (method, path) = (text(method, "method")?, text(path, "path")?);
                payload::begin_http(sink, &method, &path, optional(body))
            }
            Self::Database => {
                let [table, key, operation, values] = arguments(payload, DATABASE)?;
                let (table, operation) = (text(table, "table")?, text(operation, "operation")?);
                let key = required(key, "primary_key")?;
                payload::begin_database(sink, &table, &key, &operation, optional(values))
            }
            Self::Notification => {
                let [recipient, channel, message] = arguments(payload, NOTIFICATION)?;
                let (recipient, channel) =
                    (text(recipient, "recipient")?, text(channel, "channel")?);
                let message = text(message, "message")?;
                payload::write_notification(sink, &recipient, &channel, &message)?;
                Ok(Rest::nothing(b""))
            }
        }
    }
}

type Argument<'py> = Option<Bound<'py, PyAny>>;

/// The arguments of a payload, in the order of their names; None is one that was not given.
fn arguments<'py, const N: usize>(
    payload: &Bound<'py, PyAny>,
    names: &[&str],
) -> PyResult<[Argument<'py>; N]> {
    let mut arguments = [const { None }; N];
    if let Ok(mapping) = payload.cast::<PyDict>() {
        for (argument, name) in arguments.iter_mut().zip(names) {
            *argument = mapping.get_item(name)?;
        }
        if arguments.iter().flatten().count() == mapping.len() {
            return Ok(arguments);
        }
    } else if let Some(given) = sequence(payload)
        && given.len() <= N
    {
        for (argument, value) in arguments.iter_mut().zip(given) {
            *argument = Some(value);
        }
        return Ok(arguments);
    }
    let expected = names.join(", ");
    Err(PyTypeError::new_err(format!("a payload is a tuple or dict of {expected}")))
}

fn sequence<'py>(payload: &Bound<'py, PyAny>) -> Option<Bound<'py, PyTuple>> {
    match payload.cast::<PyTuple>() {
        Ok(tuple) => Some(tuple.clone()),
        Err(_) => payload.cast::<PyList>().ok().map(PyListMethods::to_tuple),
    }
}

fn required<'py>(argument: Argument<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    argument.ok_or_else(|| PyTypeError::new_err(format!("{name} is missing")))
}

fn text<'py>(argument: Argument<'py>, name: &str) -> PyResult<Bound<'py, PyString>> {
    required(argument, name)?
        .cast_into::<PyString>()
        .map_err(|_| PyTypeError::new_err(format!("{name} must be a string")))
}

fn optional(argument: Argument<'_>) -> Body<'_> {
    match argument {
        Some(value) => Body::of(value),
        None => Body::Absent,
    }
}
