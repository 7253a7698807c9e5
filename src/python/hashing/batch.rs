//! Hashes a batch beside an event loop.
//!
//! Python objects can only be read under the interpreter lock, so that is done in short slices on the
//! loop; what needs no object (parsing text, digesting) is done on a thread of the runtime. A payload that
//! has been read is let go of at once: to free all of them in the end would hold up the loop.

mod kind;
mod source;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3_async_runtimes::tokio::{future_into_py, get_current_loop};

use self::kind::Kind;
use self::source::Source;
use super::arguments::JsonText;
use super::payload::Rest;
use super::walk::Walk;
use crate::hashing::digest::HexLength;
use crate::hashing::form::{Form, FormError};
use crate::hashing::json::{Mode, Sink};
use crate::python::{errors, shell};

/// One slice: so many values are read, about a quarter of a millisecond,
const SLICE_VALUES: usize = 4096;
/// or so much time has gone by, where the payloads run code of their own or are made on the way.
const SLICE_TIME: Duration = Duration::from_micros(500);
/// The fixed cost of one payload, in values.
const PAYLOAD_VALUES: usize = 8;
/// The bytes whose copying costs as much as one value.
const BYTES_PER_VALUE: usize = 256;
/// One chunk for the runtime: so many canonical forms,
const CHUNK_FORMS: usize = 1024;
/// or so many bytes of them.
const CHUNK_BYTES: usize = 1 << 20;

/// The process whose runtime has been started: threads do not survive a fork.
static RUNTIME_OWNER: AtomicU32 = AtomicU32::new(0);

/// The payloads of one `hash_many`, and how far it has come.
#[pyclass(module = "interlock._native")]
pub(in crate::python) struct HashBatch {
    kind: Kind,
    source: Source,
    /// How many payloads have been taken from it.
    taken: usize,
    unfinished: Option<Box<Unfinished>>,
    /// The chunk that is being filled, and the index of its first payload.
    forms: Vec<Form>,
    first: usize,
    bytes: usize,
}

/// A payload whose walk goes on, perhaps in the next slice.
struct Unfinished {
    sink: Sink,
    walk: Walk,
    suffix: &'static [u8],
}

/// A payload as far as it has been read.
enum Reading {
    Walking(Box<Unfinished>),
    Read(Form),
}

#[pymethods]
impl HashBatch {
    #[new]
    fn new(kind: &str, payloads: &Bound<'_, PyAny>) -> PyResult<Self> {
        let kind = Kind::parse(kind)?;
        let source = Source::of(payloads)?;
        let (forms, unfinished) = (Vec::new(), None);
        Ok(Self { kind, source, taken: 0, unfinished, forms, first: 0, bytes: 0 })
    }

    /// Whether all payloads have been handed to `digest`.
    #[getter]
    fn done(&self) -> bool {
        self.forms.is_empty() && self.unfinished.is_none() && self.source.is_exhausted()
    }

    /// Read one slice of the payloads. Returns whether the chunk has room for more of them.
    fn read(&mut self, py: Python<'_>) -> PyResult<bool> {
        let begin = Instant::now();
        let mut left = SLICE_VALUES;
        while left > 0 && begin.elapsed() < SLICE_TIME && !self.is_full() {
            let Some(reading) = self.next_reading(py)? else {
                return Ok(false);
            };
            let cost = self.go_on(py, reading, left);
            left = left.saturating_sub(cost.map_err(|raised| self.in_payload(py, raised))?);
        }
        Ok(!self.is_full())
    }

    /// Digest the chunk on a thread of the runtime. Returns an `asyncio.Future` of the list of hashes.
    fn digest<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let forms = std::mem::take(&mut self.forms);
        let (first, length) = (self.first, self.kind.length());
        (self.first, self.bytes) = (self.taken, 0);
        let digest = move || digest_forms(&forms, length);
        let raise = move |(offset, error): (usize, FormError)| {
            Python::attach(|py| errors::in_batch(py, errors::form(py, error), first + offset))
        };
        if runtime_is_ours() {
            return future_into_py(py, async move { digest().map_err(raise) });
        }
        // A child of the process that started the runtime has none of its threads.
        let hashes = py.detach(digest).map_err(raise)?;
        let future = get_current_loop(py)?.call_method0("create_future")?;
        future.call_method1("set_result", (hashes,))?;
        Ok(future)
    }
}

impl HashBatch {
    fn is_full(&self) -> bool {
        self.forms.len() >= CHUNK_FORMS || self.bytes >= CHUNK_BYTES
    }

    /// The payload to go on with, or a new one; None if there is none.
    fn next_reading(&mut self, py: Python<'_>) -> PyResult<Option<Reading>> {
        if let Some(unfinished) = self.unfinished.take() {
            return Ok(Some(Reading::Walking(unfinished)));
        }
        let Some(payload) = self.source.next(py)? else {
            return Ok(None);
        };
        self.taken += 1;
        self.begin_payload(&payload).map(Some).map_err(|raised| self.in_payload(py, raised))
    }

    fn in_payload(&self, py: Python<'_>, raised: PyErr) -> PyErr {
        errors::in_batch(py, raised, self.taken - 1)
    }

    /// Reads a payload to its end, or at most `left` values of it. Returns what that cost, in values.
    fn go_on(&mut self, py: Python<'_>, reading: Reading, left: usize) -> PyResult<usize> {
        let mut unfinished = match reading {
            Reading::Walking(unfinished) => unfinished,
            Reading::Read(form) => return Ok(self.add(form)),
        };
        let Unfinished { sink, walk, suffix } = &mut *unfinished;
        let begin = sink.values();
        if !walk.resume(py, sink, begin + left)? {
            self.unfinished = Some(unfinished);
            return Ok(left);
        }
        sink.raw(suffix);
        let values = sink.values() - begin;
        let form = Form::Canonical(sink.take_bytes());
        Ok(values + self.add(form))
    }

    /// Reads a payload up to its last value, or all of it if there is none to walk.
    fn begin_payload(&self, payload: &Bound<'_, PyAny>) -> PyResult<Reading> {
        if self.kind == Kind::Shell {
            return command(payload).map(Reading::Read);
        }
        let mut sink = Sink::bytes(Mode::Exact);
        let Rest { value, suffix } = self.kind.begin(&mut sink, payload)?;
        let Some((value, position)) = value else {
            sink.raw(suffix);
            return Ok(Reading::Read(Form::Canonical(sink.take_bytes())));
        };
        if let Ok(marked) = value.cast_exact::<JsonText>() {
            return Ok(Reading::Read(Form::Text {
                prefix: sink.take_bytes(),
                text: marked.get().utf8(payload.py(), position)?.to_owned(),
                root: position.root,
                outer: position.outer,
                suffix,
            }));
        }
        let walk = Walk::new(&value, position);
        Ok(Reading::Walking(Box::new(Unfinished { sink, walk, suffix })))
    }

    fn add(&mut self, form: Form) -> usize {
        let bytes = form.len();
        self.bytes += bytes;
        self.forms.push(form);
        PAYLOAD_VALUES + bytes / BYTES_PER_VALUE
    }
}

fn command(payload: &Bound<'_, PyAny>) -> PyResult<Form> {
    let command = payload
        .cast::<PyString>()
        .map_err(|_| PyTypeError::new_err("a command must be a string"))?;
    Ok(Form::Shell(shell::utf8(command)?.to_owned()))
}

/// The hashes of a chunk, or the offset of the first form that has none.
fn digest_forms(forms: &[Form], length: HexLength) -> Result<Vec<String>, (usize, FormError)> {
    let hashes = forms.iter().enumerate().map(|(offset, form)| match form.digest() {
        Ok(digest) => Ok(digest.hex(length).to_string()),
        Err(error) => Err((offset, error)),
    });
    hashes.collect()
}

/// Whether this process may use the runtime; the first that asks starts it.
fn runtime_is_ours() -> bool {
    let process = std::process::id();
    let owner = RUNTIME_OWNER.compare_exchange(0, process, Ordering::Relaxed, Ordering::Relaxed);
    owner.map_or_else(|owner| owner == process, |_| true)
}
