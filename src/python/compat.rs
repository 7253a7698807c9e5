//! Binds `compat`.

use pyo3::exceptions::{PyOverflowError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use super::errors;
use super::hashing::Absent;
use crate::compat::voidforge::{self, JsValue};
use crate::hashing::digest::HexLength;
use crate::hashing::json::{Fault, JsonError, Limits};

/// Containers inside one another. More than canonical JSON allows, for bodies hashed long ago.
const DEPTH: usize = 512;

/// `shellCommandHash` of the reference.
#[pyfunction]
pub(super) fn voidforge_shell_command_hash(command: &Bound<'_, PyString>) -> PyResult<String> {
    let digest = voidforge::shell_command_hash(&utf16(command)?);
    Ok(digest.hex(HexLength::SHORT).to_string())
}

/// `httpRequestHash` of the reference.
#[pyfunction]
pub(super) fn voidforge_http_request_hash(
    method: &Bound<'_, PyString>,
    path: &Bound<'_, PyString>,
    body: &Bound<'_, PyAny>,
) -> PyResult<String> {
    let body = Reader { values: 0 }.value(body, 0)?;
    let digest = voidforge::http_request_hash(&utf16(method)?, &utf16(path)?, &body);
    Ok(digest.hex(HexLength::SHORT).to_string())
}

/// `dockerLogicalKey` of the reference.
#[pyfunction]
pub(super) fn voidforge_docker_logical_key(
    command: &Bound<'_, PyString>,
) -> PyResult<Option<String>> {
    Ok(voidforge::docker_logical_key(&utf16(command)?))
}

/// The UTF-16 code units of a string, lone surrogates included.
fn utf16(text: &Bound<'_, PyString>) -> PyResult<Vec<u16>> {
    let py = text.py();
    match text.to_str() {
        Ok(text) => Ok(text.encode_utf16().collect()),
        Err(raised) if raised.is_instance_of::<PyUnicodeEncodeError>(py) => {
            let class = py.get_type::<PyString>();
            let encoded = class.call_method1("encode", (text, "utf-16-le", "surrogatepass"))?;
            let units = encoded.cast::<PyBytes>()?.as_bytes().chunks_exact(2);
            Ok(units.map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect())
        }
        Err(raised) => Err(raised),
    }
}

/// Reads a Python value as what `JSON.parse` would have made of it.
struct Reader {
    values: usize,
}

impl Reader {
    fn value(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<JsValue> {
        self.values += 1;
        if self.values > Limits::DEFAULT.values {
            return Err(refuse(value, Fault::Values { limit: Limits::DEFAULT.values }));
        }
        if depth > DEPTH {
            return Err(refuse(value, Fault::Depth { limit: DEPTH }));
        }
        if value.is_none() || value.is_exact_instance_of::<Absent>() {
            return Ok(JsValue::Null);
        }
        if let Ok(flag) = value.cast::<PyBool>() {
            return Ok(JsValue::Bool(flag.is_true()));
        }
        if let Ok(text) = value.cast::<PyString>() {
            return utf16(text).map(JsValue::String);
        }
        if let Ok(int) = value.cast::<PyInt>() {
            return nearest_double(int).map(JsValue::Number);
        }
        if let Ok(float) = value.cast::<PyFloat>() {
            return Ok(JsValue::Number(float.value()));
        }
        if let Ok(dict) = value.cast::<PyDict>() {
            return self.object(dict, depth);
        }
        let elements: Vec<Bound<'_, PyAny>> = if let Ok(list) = value.cast::<PyList>() {
            list.iter().collect()
        } else if let Ok(tuple) = value.cast::<PyTuple>() {
            tuple.iter().collect()
        } else {
            return Err(refuse(
                value,
                Fault::Type { kind: value.get_type().qualname()?.to_string() },
            ));
        };
        let elements = elements.iter().map(|element| self.value(element, depth + 1));
        elements.collect::<PyResult<_>>().map(JsValue::Array)
    }

    fn object(&mut self, dict: &Bound<'_, PyDict>, depth: usize) -> PyResult<JsValue> {
        // A list of its own: nothing can change it while the values are read.
        let members = dict.items().iter().map(|member| {
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = member.extract()?;
            let Ok(key) = key.cast::<PyString>() else {
                let kind = key.get_type().qualname()?.to_string();
                return Err(refuse(&key, Fault::Key { kind }));
            };
            Ok((utf16(key)?, self.value(&value, depth + 1)?))
        });
        members.collect::<PyResult<_>>().map(JsValue::Object)
    }
}

/// `JSON.parse` of the integer: the nearest double, or an infinity.
fn nearest_double(int: &Bound<'_, PyInt>) -> PyResult<f64> {
    match int.extract::<f64>() {
        // The sign does not matter: both infinities print as null.
        Err(raised) if raised.is_instance_of::<PyOverflowError>(int.py()) => Ok(f64::INFINITY),
        double => double,
    }
}

fn refuse(value: &Bound<'_, PyAny>, fault: Fault) -> PyErr {
    errors::json(value.py(), &JsonError::at("$", [], fault))
}
