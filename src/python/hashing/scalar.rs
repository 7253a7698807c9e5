//! Values that are not exactly of a JSON type but have one obvious JSON form.

use pyo3::exceptions::PyOverflowError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBytes, PyDate, PyDateAccess, PyDateTime, PyDict, PyFloat, PyInt, PyList, PyString,
    PyTimeAccess, PyTuple, PyType, PyTzInfo,
};

use super::borrowed;
use super::refusal::Refusal;
use crate::hashing::json::{Fault, Sink, number};

/// How many enums may be values of one another before it counts as endless.
const ENUM_CHAIN: usize = 16;

/// What a value amounts to.
pub(super) enum Plain<'py> {
    /// A string of ours.
    Written(String),
    /// The value of an enum member.
    Value(Bound<'py, PyAny>),
    String(Bound<'py, PyString>),
    Int(Bound<'py, PyInt>),
    Float(f64),
    Dict(Bound<'py, PyDict>),
    List(Bound<'py, PyList>),
    Tuple(Bound<'py, PyTuple>),
}

/// Classifies a value that is not a plain leaf: of a subclass, an enum member, a UUID, a date or a datetime.
pub(super) fn plain<'py>(value: &Bound<'py, PyAny>) -> Result<Plain<'py>, Box<Refusal>> {
    static ENUM: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static UUID: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = value.py();
    if let Ok(text) = value.cast_exact::<PyString>() {
        return Ok(Plain::String(text.clone()));
    }
    let enum_class = ENUM.import(py, "enum", "Enum")?;
    if value.is_instance(enum_class)? {
        return enum_value(value, enum_class).map(Plain::Value);
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Plain::String(text.clone()));
    }
    if let Ok(int) = value.cast::<PyInt>() {
        return Ok(Plain::Int(int.clone()));
    }
    if let Ok(float) = value.cast::<PyFloat>() {
        return Ok(Plain::Float(float.value()));
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        return Ok(Plain::Dict(dict.clone()));
    }
    if let Ok(list) = value.cast::<PyList>() {
        return Ok(Plain::List(list.clone()));
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return Ok(Plain::Tuple(tuple.clone()));
    }
    if let Ok(instant) = value.cast::<PyDateTime>() {
        return utc_text(instant).map(Plain::Written);
    }
    if let Ok(date) = value.cast::<PyDate>() {
        return Ok(Plain::Written(date_text(date)));
    }
    let uuid_class = UUID.import(py, "uuid", "UUID")?;
    if value.is_instance(uuid_class)? {
        // The class's own text: a subclass may print itself otherwise.
        let text = uuid_class.call_method1(intern!(py, "__str__"), (value,))?;
        return Ok(Plain::Written(text.extract()?));
    }
    Err(Fault::Type { kind: type_name(value) }.into())
}

fn enum_value<'py>(
    member: &Bound<'py, PyAny>,
    enum_class: &Bound<'py, PyType>,
) -> Result<Bound<'py, PyAny>, Box<Refusal>> {
    let name = intern!(member.py(), "value");
    let mut value = member.getattr(name)?;
    for _ in 0..ENUM_CHAIN {
        if !value.is_instance(enum_class)? {
            return Ok(value);
        }
        value = value.getattr(name)?;
    }
    Err(Fault::Depth { limit: ENUM_CHAIN }.into())
}

/// RFC 3339 in UTC: `2024-01-01T00:00:00Z`, with six digits of a second if they are not all zero.
fn utc_text(instant: &Bound<'_, PyDateTime>) -> Result<String, Box<Refusal>> {
    let py = instant.py();
    let class = py.get_type::<PyDateTime>();
    // A time zone that answers None leaves the datetime naive, whatever its `tzinfo` says.
    if class.call_method1(intern!(py, "utcoffset"), (instant,))?.is_none() {
        return Err(Fault::Naive.into());
    }
    // A subclass of finer instants: two of them could print alike.
    let finer = instant.getattr_opt(intern!(py, "nanosecond"))?;
    if finer.is_some_and(|nanosecond| nanosecond.is_truthy().unwrap_or(true)) {
        return Err(Fault::Type { kind: format!("{} with nanoseconds", type_name(instant)) }.into());
    }
    let utc = PyTzInfo::utc(py)?;
    let moved = class.call_method1(intern!(py, "astimezone"), (instant, utc));
    let moved = moved.map_err(|raised| {
        if raised.is_instance_of::<PyOverflowError>(py) {
            Fault::Instant.into()
        } else {
            Box::<Refusal>::from(raised)
        }
    })?;
    let utc = moved.cast::<PyDateTime>().map_err(PyErr::from)?;
    let (hour, minute, second) = (utc.get_hour(), utc.get_minute(), utc.get_second());
    let date = date_text(utc.cast::<PyDate>().map_err(PyErr::from)?);
    Ok(match utc.get_microsecond() {
        0 => format!("{date}T{hour:02}:{minute:02}:{second:02}Z"),
        micros => format!("{date}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"),
    })
}

fn date_text(date: &Bound<'_, PyDate>) -> String {
    format!("{:04}-{:02}-{:02}", date.get_year(), date.get_month(), date.get_day())
}

/// Writes an integer, by value, without `str()`: that has a limit of the interpreter's own.
pub(super) fn write_int(sink: &mut Sink, int: &Bound<'_, PyInt>) -> Result<(), Box<Refusal>> {
    match borrowed::small_int(int) {
        Some(small) => sink.integer(small)?,
        None => sink.integer_literal(&big_literal(int, sink.limits().digits)?)?,
    }
    Ok(())
}

#[cold]
fn big_literal(int: &Bound<'_, PyInt>, limit: usize) -> Result<String, Box<Refusal>> {
    /// More bits than this number per digit, no integer of so many digits has (log2 10 < 4).
    const BITS: usize = 4;
    let py = int.py();
    let class = py.get_type::<PyInt>();
    let bits: usize = class.call_method1(intern!(py, "bit_length"), (int,))?.extract()?;
    if bits > limit.saturating_mul(BITS) {
        return Err(Fault::Digits { limit }.into());
    }
    let size = class.call_method1(intern!(py, "__abs__"), (int,))?;
    let bytes =
        size.call_method1(intern!(py, "to_bytes"), (bits.div_ceil(8), intern!(py, "little")))?;
    let digits = number::decimal_digits(bytes.cast::<PyBytes>().map_err(PyErr::from)?.as_bytes());
    if digits.len() > limit {
        return Err(Fault::Digits { limit }.into());
    }
    let is_negative = class.call_method1(intern!(py, "__lt__"), (int, 0))?.is_truthy()?;
    Ok(if is_negative { format!("-{digits}") } else { digits })
}

/// The name of a value's type, for people.
pub(super) fn type_name(value: &Bound<'_, PyAny>) -> String {
    let name = value.get_type().qualname();
    name.map_or_else(|_| "this type".to_owned(), |name| name.to_string())
}
