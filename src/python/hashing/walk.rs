//! Walks a Python value and writes its canonical JSON, without a tree in between.
//!
//! A payload of plain types runs no Python code while it is walked, so its names and values are only
//! borrowed. Before any such code can run (that of an enum, of a time zone, of a finalizer, or other tasks
//! between two slices), everything that is still to be written is [kept](Walk::keep): whatever the code does
//! to a container that has begun, what it held then is what is written. Nesting is a counted stack of
//! frames, not recursion.

use std::ops::Range;

use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::borrowed::{BorrowedElements, BorrowedRef, Entries};
use super::leaves::{Reached, exactly, write_elements, write_leaf, write_members};
use super::members::{self, Member};
use super::refusal::{Refusal, utf8};
use super::scalar::{self, Plain};
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

/// Writes the canonical JSON of `value`.
pub(super) fn write_value(
    sink: &mut Sink,
    value: &Bound<'_, PyAny>,
    position: Position,
) -> PyResult<()> {
    Walk::new(value, position).resume(value.py(), sink, usize::MAX).map(drop)
}

/// A walk that can stop between two values and go on later.
pub(super) struct Walk {
    root: Py<PyAny>,
    has_begun: bool,
    frames: Vec<Frame>,
    /// Members of all objects that have not ended, outermost first.
    members: Vec<Member>,
    /// Counted references to the first of them: name and value.
    kept_members: Vec<[Py<PyAny>; 2]>,
    /// Counted references to the elements of the arrays that say so, outermost first.
    kept_elements: Vec<Option<Py<PyAny>>>,
    position: Position,
}

/// A container that has begun and not ended. `next` is what is to be written next.
struct Frame {
    content: Content,
    next: usize,
}

enum Content {
    /// Its members are those from `begin` on.
    Object {
        begin: usize,
    },
    Array(BorrowedElements),
    KeptArray {
        kept: Range<usize>,
    },
}

impl Walk {
    pub(super) fn new(value: &Bound<'_, PyAny>, position: Position) -> Self {
        Self {
            root: value.clone().unbind(),
            has_begun: false,
            frames: Vec::with_capacity(8),
            members: Vec::with_capacity(16),
            kept_members: Vec::new(),
            kept_elements: Vec::new(),
            position,
        }
    }

    /// Goes on until the sink has taken `values` in all, or to the end: then it returns true.
    pub(super) fn resume(
        &mut self,
        py: Python<'_>,
        sink: &mut Sink,
        values: usize,
    ) -> PyResult<bool> {
        self.run(py, sink, values).map_err(|refusal| self.locate(py, *refusal))
    }

    fn run(
        &mut self,
        py: Python<'_>,
        sink: &mut Sink,
        values: usize,
    ) -> Result<bool, Box<Refusal>> {
        if !self.has_begun {
            self.has_begun = true;
            sink.count_value()?;
            let root = self.root.clone_ref(py).into_bound(py);
            self.value(sink, root.as_borrowed())?;
        }
        while let Some(Frame { content, next }) = self.frames.last_mut() {
            let reached = match content {
                Content::Object { begin } => {
                    write_members(py, sink, values, &self.members[*begin..], next)?
                }
                Content::Array(elements) => write_elements(py, sink, values, *elements, next)?,
                Content::KeptArray { kept } => {
                    let elements = BorrowedElements::of_kept(&self.kept_elements[kept.clone()]);
                    write_elements(py, sink, values, elements, next)?
                }
            };
            match reached {
                Reached::Other(value) => self.value(sink, value)?,
                Reached::End => self.end(sink),
                Reached::Enough => {
                    self.keep(py);
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn end(&mut self, sink: &mut Sink) {
        // If anything is freed here and its finalizer runs, the containers around it are kept as well.
        match self.frames.pop().map(|frame| frame.content) {
            Some(Content::Object { begin }) => {
                sink.raw(b"}");
                self.members.truncate(begin);
                self.kept_members.truncate(begin);
            }
            Some(Content::KeptArray { kept }) => {
                sink.raw(b"]");
                self.kept_elements.truncate(kept.start);
            }
            Some(Content::Array(_)) => sink.raw(b"]"),
            None => {}
        }
    }

    /// Counts references to all that the containers hold that have begun. It must come before anything that
    /// may run Python code, or that lets other code run.
    fn keep(&mut self, py: Python<'_>) {
        self.keep_up_to(py, self.members.len());
    }

    /// The same without the members from `end` on, which are still being taken: they will be put in order, after
    /// which nothing would tell those that are counted.
    #[cold]
    fn keep_up_to(&mut self, py: Python<'_>, end: usize) {
        let borrowed = self.members.get(self.kept_members.len()..end).unwrap_or_default();
        self.kept_members.extend(borrowed.iter().map(|member| member.keep(py)));
        for frame in &mut self.frames {
            if let Content::Array(elements) = frame.content {
                let begin = self.kept_elements.len();
                let keep = |element: &Option<BorrowedRef>| element.map(|element| element.keep(py));
                self.kept_elements.extend(elements.as_slice().iter().map(keep));
                frame.content = Content::KeptArray { kept: begin..self.kept_elements.len() };
            }
        }
    }

    /// Writes a value, or the bracket that begins it.
    fn value(
        &mut self,
        sink: &mut Sink,
        value: Borrowed<'_, '_, PyAny>,
    ) -> Result<(), Box<Refusal>> {
        if let Some(dict) = exactly::<PyDict>(&value) {
            self.begin_object(sink, dict)
        } else if let Some(list) = exactly::<PyList>(&value) {
            self.begin_array(sink, list, || BorrowedElements::of_list(list))
        } else if let Some(tuple) = exactly::<PyTuple>(&value) {
            self.begin_array(sink, tuple, || BorrowedElements::of_tuple(tuple))
        } else if write_leaf(sink, &value)? {
            Ok(())
        } else {
            self.other_value(sink, &value)
        }
    }

    /// A value whose reading may run Python code: of a subclass, of an enum, of another type with one JSON
    /// form; text that is not ASCII and large integers, which may raise.
    #[cold]
    fn other_value(
        &mut self,
        sink: &mut Sink,
        value: &Bound<'_, PyAny>,
    ) -> Result<(), Box<Refusal>> {
        let py = value.py();
        self.keep(py);
        match scalar::plain(value)? {
            Plain::Written(text) => sink.string(&text)?,
            Plain::String(text) => sink.string(utf8(&text, "the string")?)?,
            Plain::Int(int) => scalar::write_int(sink, &int)?,
            Plain::Float(float) => sink.float(float)?,
            Plain::Value(inner) => {
                self.value(sink, inner.as_borrowed())?;
                // The enum may have made it for this call alone; then it is freed here.
                self.keep(py);
            }
            Plain::Dict(dict) => self.begin_object(sink, &dict)?,
            Plain::List(list) => {
                self.begin_array(sink, &list, || BorrowedElements::of_list(&list))?;
            }
            Plain::Tuple(tuple) => {
                self.begin_array(sink, &tuple, || BorrowedElements::of_tuple(&tuple))?;
            }
        }
        Ok(())
    }

    fn begin_object(
        &mut self,
        sink: &mut Sink,
        dict: &Bound<'_, PyDict>,
    ) -> Result<(), Box<Refusal>> {
        self.check_depth(sink)?;
        let py = dict.py();
        let begin = self.members.len();
        with_critical_section(dict, || {
            self.take_members(dict);
            self.keep_from_threads(py);
        });
        if let Err(refusal) = self.order_members(py, begin) {
            self.members.truncate(begin);
            self.kept_members.truncate(begin);
            return Err(refusal);
        }
        self.frames.push(Frame { content: Content::Object { begin }, next: 0 });
        sink.raw(b"{");
        Ok(())
    }

    /// Takes all members at once, as the dict holds them: nothing is asked of them.
    fn take_members(&mut self, dict: &Bound<'_, PyDict>) {
        self.members.reserve(dict.len());
        for [name, value] in Entries::of(dict) {
            self.members.push(Member::unread(&name, &value));
        }
    }

    /// Puts the members from `begin` on in the order of their names.
    fn order_members(&mut self, py: Python<'_>, begin: usize) -> Result<(), Box<Refusal>> {
        let mut read = begin;
        let is_other = |member: &mut Member| !member.read_ascii(py);
        while let Some(other) = self.members[read..].iter_mut().position(is_other) {
            read += other;
            // Python code may run, but then the object is refused: its own members need no counting.
            self.keep_up_to(py, begin);
            self.members[read].read(py)?;
            read += 1;
        }
        match members::order(py, &mut self.members[begin..]) {
            Some(repeated) => {
                let name = repeated.name(py).to_owned();
                Err(Fault::Duplicate { name, at: Place::default() }.into())
            }
            None => Ok(()),
        }
    }

    fn begin_array(
        &mut self,
        sink: &mut Sink,
        array: &Bound<'_, PyAny>,
        elements: impl FnOnce() -> BorrowedElements,
    ) -> Result<(), Box<Refusal>> {
        self.check_depth(sink)?;
        with_critical_section(array, || {
            self.frames.push(Frame { content: Content::Array(elements()), next: 0 });
            self.keep_from_threads(array.py());
        });
        sink.raw(b"[");
        Ok(())
    }

    /// Without the interpreter lock, other threads may change a container as soon as it is not locked.
    fn keep_from_threads(&mut self, py: Python<'_>) {
        if cfg!(Py_GIL_DISABLED) {
            self.keep(py);
        }
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
        let steps = self.frames.iter().filter_map(|Frame { content, next }| {
            let last = next.checked_sub(1)?;
            Some(match content {
                Content::Object { begin } => Step::Name(self.members[begin + last].name(py)),
                Content::Array(_) | Content::KeptArray { .. } => Step::Index(last),
            })
        });
        errors::json(py, &JsonError::at(self.position.root, steps, *fault))
    }
}
