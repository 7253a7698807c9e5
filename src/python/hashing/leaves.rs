//! The plain leaves of a container, which are most values: written in a row, without running Python code.

use pyo3::PyTypeInfo;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString};

use super::borrowed::{self, BorrowedElements};
use super::members::Member;
use super::refusal::Refusal;
use crate::hashing::json::{Fault, Sink};

/// How far the leaves of a container have been written.
pub(super) enum Reached<'a, 'py> {
    /// Up to a value that holds others or may run Python code.
    Other(Borrowed<'a, 'py, PyAny>),
    End,
    /// Not to its end, but the sink has taken enough for now.
    Enough,
}

/// Writes the members from `next` on, up to the first whose value is not a plain leaf.
pub(super) fn write_members<'py>(
    py: Python<'py>,
    sink: &mut Sink,
    values: usize,
    members: &[Member],
    next: &mut usize,
) -> Result<Reached<'static, 'py>, Box<Refusal>> {
    while sink.values() < values {
        let Some(member) = members.get(*next) else {
            return Ok(Reached::End);
        };
        sink.name(member.name(py), *next == 0)?;
        *next += 1;
        sink.count_value()?;
        let value = member.value.get(py);
        if !write_leaf(sink, &value)? {
            return Ok(Reached::Other(value));
        }
    }
    Ok(Reached::Enough)
}

/// Writes the elements from `next` on, up to the first that is not a plain leaf.
pub(super) fn write_elements<'py>(
    py: Python<'py>,
    sink: &mut Sink,
    values: usize,
    elements: BorrowedElements,
    next: &mut usize,
) -> Result<Reached<'static, 'py>, Box<Refusal>> {
    while sink.values() < values {
        let Some(element) = elements.as_slice().get(*next) else {
            return Ok(Reached::End);
        };
        if *next > 0 {
            sink.raw(b",");
        }
        *next += 1;
        sink.count_value()?;
        let Some(element) = element else {
            return Err(Fault::Type { kind: "an element that is not set".to_owned() }.into());
        };
        let value = element.get(py);
        if !write_leaf(sink, &value)? {
            return Ok(Reached::Other(value));
        }
    }
    Ok(Reached::Enough)
}

/// Writes a value that is exactly of a scalar type, if that can raise nothing; false if it is another.
#[allow(clippy::inline_always)] // a call for each value costs as much as most values
#[inline(always)]
pub(super) fn write_leaf(sink: &mut Sink, value: &Bound<'_, PyAny>) -> Result<bool, Box<Refusal>> {
    if let Some(text) = exactly::<PyString>(value) {
        let Some(text) = borrowed::ascii(text.as_borrowed()) else {
            return Ok(false);
        };
        sink.string(text)?;
    } else if let Some(int) = exactly::<PyInt>(value) {
        let Some(small) = borrowed::small_int(int) else {
            return Ok(false);
        };
        sink.integer(small)?;
    } else if let Some(flag) = exactly::<PyBool>(value) {
        sink.raw(if flag.is_true() { b"true" } else { b"false" });
    } else if value.is_none() {
        sink.raw(b"null");
    } else if let Some(float) = exactly::<PyFloat>(value) {
        sink.float(float.value())?;
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// Casts to exactly this type. The test comes first, because a failed cast makes an error value.
pub(super) fn exactly<'a, 'py, T: PyTypeInfo>(
    value: &'a Bound<'py, PyAny>,
) -> Option<&'a Bound<'py, T>> {
    if value.is_exact_instance_of::<T>() { value.cast_exact().ok() } else { None }
}
