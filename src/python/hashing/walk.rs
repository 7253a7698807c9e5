//! Walks a Python value and writes its canonical JSON, without a tree in between.
//!
//! Every reference is owned: the members of a container are taken when it begins, while no Python code
//! runs, and whatever another thread or the code of an enum or a time zone does to it afterwards, what
//! was taken is what is written. Nesting is a counted stack of frames, not recursion.

use pyo3::PyTypeInfo;
use pyo3::exceptions::PyUnicodeEncodeError;
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use smallvec::SmallVec;

use super::name::Name;
use super::scalar::{self, Plain};
use crate::hashing::json::order::{order_prefix, utf16_order};
use crate::hashing::json::{Fault, JsonError, Place, Sink, Step};
use crate::python::errors;

/// Where a value stands in the payload it belongs to.
#[derive(Clone, Copy)]
pub(super) struct Position {
    /// The path of the value.
    pub(super) root: &'static str,
    /// How many containers surround it.
    pub(super) outer: usize,
}

impl Position {
    pub(super) const WHOLE: Self = Self { root: "$", outer: 0 };
}

/// Why a walk ended early: the payload's fault, or an exception of its own code.
pub(super) enum Refusal {
    Fault(Box<Fault>),
    Raised(PyErr),
}

impl From<Fault> for Box<Refusal> {
    fn from(fault: Fault) -> Self {
        Box::new(fault).into()
    }
}

impl From<Box<Fault>> for Box<Refusal> {
    #[cold]
    fn from(fault: Box<Fault>) -> Self {
        Box::new(Refusal::Fault(fault))
    }
}

impl From<PyErr> for Box<Refusal> {
    #[cold]
    fn from(raised: PyErr) -> Self {
        Box::new(Refusal::Raised(raised))
    }
}

/// Writes the canonical JSON of `value`.
pub(super) fn write_value(
    sink: &mut Sink,
    value: &Bound<'_, PyAny>,
    position: Position,
) -> PyResult<()> {
    let mut walk = Walk::new(position);
    walk.begin(sink, value)?;
    walk.resume(value.py(), sink, usize::MAX).map(drop)
}

/// The UTF-8 of a string; `what` names it in the fault.
#[inline]
pub(super) fn utf8<'a>(
    text: &'a Bound<'_, PyString>,
    what: &'static str,
) -> Result<&'a str, Box<Refusal>> {
    match text.to_str() {
        Ok(text) => Ok(text),
        Err(raised) => Err(without_utf8(text.py(), raised, what).into()),
    }
}

#[cold]
fn without_utf8(py: Python<'_>, raised: PyErr, what: &'static str) -> Refusal {
    if raised.is_instance_of::<PyUnicodeEncodeError>(py) {
        Refusal::Fault(Box::new(Fault::Surrogate(what)))
    } else {
        Refusal::Raised(raised)
    }
}

/// A walk that can stop between two values and go on later.
pub(super) struct Walk {
    frames: SmallVec<[Frame; 6]>,
    /// Members of all objects that have not ended, outermost first.
    members: SmallVec<[Member; 12]>,
    position: Position,
}

/// A container that has begun and not ended. `next` is what is to be written next.
enum Frame {
    Object { begin: usize, next: usize },
    Array { elements: Py<PyTuple>, next: usize },
}

struct Member {
    name: Name,
    prefix: u64,
    /// Taken when it is written.
    value: Option<Py<PyAny>>,
}

impl Walk {
    pub(super) fn new(position: Position) -> Self {
        Self { frames: SmallVec::new(), members: SmallVec::new(), position }
    }

    /// Writes the value, or only its first bracket.
    pub(super) fn begin(&mut self, sink: &mut Sink, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let counted = sink.count_value().map_err(Box::<Refusal>::from);
        let begun = counted.and_then(|()| self.value(sink, value));
        begun.map_err(|refusal| self.locate(value.py(), *refusal))
    }

    /// Goes on until the sink has taken `values` in all, or to the end: then it returns true.
    pub(super) fn resume(
        &mut self,
        py: Python<'_>,
        sink: &mut Sink,
        values: usize,
    ) -> PyResult<bool> {
        self.run(py, sink, values).map_err(|refusal| self.locate(py, *refusal))?;
        Ok(self.frames.is_empty())
    }

    fn run(&mut self, py: Python<'_>, sink: &mut Sink, values: usize) -> Result<(), Box<Refusal>> {
        while let Some(frame) = self.frames.last_mut() {
            let next = match frame {
                Frame::Object { begin, next } => {
                    write_members(py, sink, values, &mut self.members[*begin..], next)?
                }
                Frame::Array { elements, next } => {
                    write_elements(sink, values, elements.bind(py).as_slice(), next)?
                }
            };
            match next {
                Next::Container(value) => self.value(sink, &value)?,
                Next::End => self.end(py, sink),
                Next::Stop => break,
            }
        }
        Ok(())
    }

    fn end(&mut self, py: Python<'_>, sink: &mut Sink) {
        if let Some(Frame::Object { begin, .. }) = self.frames.pop() {
            forget(py, self.members.drain(begin..));
            sink.raw(b"}");
        } else {
            sink.raw(b"]");
        }
    }

    /// Writes a value, or the bracket that begins it.
    fn value(&mut self, sink: &mut Sink, value: &Bound<'_, PyAny>) -> Result<(), Box<Refusal>> {
        if let Some(dict) = exactly::<PyDict>(value) {
            self.begin_object(sink, dict)
        } else if let Some(list) = exactly::<PyList>(value) {
            self.begin_array(sink, list.to_tuple())
        } else if let Some(tuple) = exactly::<PyTuple>(value) {
            self.begin_array(sink, tuple.clone())
        } else if write_leaf(sink, value)? {
            Ok(())
        } else {
            self.other_value(sink, value)
        }
    }

    /// A value of a subclass, of an enum, or of a type with one JSON form.
    #[cold]
    fn other_value(
        &mut self,
        sink: &mut Sink,
        value: &Bound<'_, PyAny>,
    ) -> Result<(), Box<Refusal>> {
        match scalar::plain(value)? {
            Plain::Written(text) => sink.string(&text)?,
            Plain::Value(inner) => self.value(sink, &inner)?,
            Plain::String(text) => sink.string(utf8(&text, "the string")?)?,
            Plain::Int(int) => scalar::write_int(sink, &int)?,
            Plain::Float(float) => sink.float(float)?,
            Plain::Dict(dict) => self.begin_object(sink, &dict)?,
            Plain::List(list) => self.begin_array(sink, list.to_tuple())?,
            Plain::Tuple(tuple) => self.begin_array(sink, tuple)?,
        }
        Ok(())
    }

    fn begin_object(
        &mut self,
        sink: &mut Sink,
        dict: &Bound<'_, PyDict>,
    ) -> Result<(), Box<Refusal>> {
        self.check_depth(sink)?;
        let begin = self.members.len();
        let taken = self.take_members(dict);
        let members = &mut self.members[begin..];
        members.sort_unstable_by(|left, right| {
            left.prefix
                .cmp(&right.prefix)
                .then_with(|| utf16_order(left.name.text(), right.name.text()))
        });
        // A dict can hold one name twice only through a `str` subclass with its own `__eq__`.
        let is_named_alike = |pair: &&[Member]| {
            pair[0].prefix == pair[1].prefix && pair[0].name.text() == pair[1].name.text()
        };
        let repeated = members.windows(2).find(is_named_alike);
        let duplicate = repeated.map(|pair| Fault::Duplicate {
            name: pair[1].name.text().to_owned(),
            at: Place::default(),
        });
        if let Some(refusal) = taken.err().or(duplicate.map(Into::into)) {
            self.members.truncate(begin);
            return Err(refusal);
        }
        self.frames.push(Frame::Object { begin, next: 0 });
        sink.raw(b"{");
        Ok(())
    }

    /// Takes all members at once. No Python code runs in the loop, so nothing can change the dict.
    fn take_members(&mut self, dict: &Bound<'_, PyDict>) -> Result<(), Box<Refusal>> {
        with_critical_section(dict, || {
            self.members.reserve(dict.len());
            for (key, value) in dict {
                let name = match key.cast_into::<PyString>() {
                    Ok(name) => name,
                    Err(other) => {
                        let kind = scalar::type_name(&other.into_inner());
                        return Err(Fault::Key { kind }.into());
                    }
                };
                let name = Name::of(name)?;
                let prefix = order_prefix(name.text());
                self.members.push(Member { name, prefix, value: Some(value.unbind()) });
            }
            Ok(())
        })
    }

    fn begin_array(
        &mut self,
        sink: &mut Sink,
        elements: Bound<'_, PyTuple>,
    ) -> Result<(), Box<Refusal>> {
        self.check_depth(sink)?;
        self.frames.push(Frame::Array { elements: elements.unbind(), next: 0 });
        sink.raw(b"[");
        Ok(())
    }

    fn check_depth(&self, sink: &Sink) -> Result<(), Box<Fault>> {
        let limit = sink.limits().depth;
        if self.position.outer + self.frames.len() >= limit {
            return Fault::Depth { limit }.refuse();
        }
        Ok(())
    }

    /// Adds the path of the value being written to a fault.
    fn locate(&self, py: Python<'_>, refusal: Refusal) -> PyErr {
        let fault = match refusal {
            Refusal::Fault(fault) => fault,
            Refusal::Raised(raised) => return raised,
        };
        let steps = self.frames.iter().filter_map(|frame| match frame {
            Frame::Object { begin, next } => {
                let member = &self.members[begin + next.checked_sub(1)?];
                Some(Step::Name(member.name.text()))
            }
            Frame::Array { next, .. } => next.checked_sub(1).map(Step::Index),
        });
        errors::json(py, &JsonError::at(self.position.root, steps, *fault))
    }
}

/// Drops members under the interpreter lock that is held anyway, which need not be looked up again.
fn forget(py: Python<'_>, members: impl Iterator<Item = Member>) {
    for member in members {
        member.name.forget(py);
    }
}

/// What a container holds after the leaves that have been written.
enum Next<'py> {
    /// A value that may hold others.
    Container(Bound<'py, PyAny>),
    End,
    /// Something, but the sink has taken enough for now.
    Stop,
}

/// Writes the members from `next` on, up to the first whose value may hold others.
fn write_members<'py>(
    py: Python<'py>,
    sink: &mut Sink,
    values: usize,
    members: &mut [Member],
    next: &mut usize,
) -> Result<Next<'py>, Box<Refusal>> {
    while sink.values() < values {
        let Some(member) = members.get_mut(*next) else {
            return Ok(Next::End);
        };
        sink.name(member.name.text(), *next == 0)?;
        *next += 1;
        sink.count_value()?;
        if let Some(value) = member.value.take() {
            let value = value.into_bound(py);
            if !write_leaf(sink, &value)? {
                return Ok(Next::Container(value));
            }
        }
    }
    Ok(Next::Stop)
}

/// Writes the elements from `next` on, up to the first that may hold others.
fn write_elements<'py>(
    sink: &mut Sink,
    values: usize,
    elements: &[Bound<'py, PyAny>],
    next: &mut usize,
) -> Result<Next<'py>, Box<Refusal>> {
    while sink.values() < values {
        let Some(value) = elements.get(*next) else {
            return Ok(Next::End);
        };
        if *next > 0 {
            sink.raw(b",");
        }
        *next += 1;
        sink.count_value()?;
        if !write_leaf(sink, value)? {
            return Ok(Next::Container(value.clone()));
        }
    }
    Ok(Next::Stop)
}

/// Writes a value that is exactly of a scalar type; false if it is not.
#[allow(clippy::inline_always)] // a call for each value costs as much as most values
#[inline(always)]
fn write_leaf(sink: &mut Sink, value: &Bound<'_, PyAny>) -> Result<bool, Box<Refusal>> {
    if let Some(text) = exactly::<PyString>(value) {
        sink.string(utf8(text, "the string")?)?;
    } else if let Some(int) = exactly::<PyInt>(value) {
        scalar::write_int(sink, int)?;
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
fn exactly<'a, 'py, T: PyTypeInfo>(value: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, T>> {
    if value.is_exact_instance_of::<T>() { value.cast_exact().ok() } else { None }
}
