//! Binds the identity of a proposal.

use std::borrow::Cow;
use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyMapping, PyString, PyTuple};

use crate::dedup::identity::{MAX_PAYLOAD_BYTES, identity};
use crate::hashing::digest::{Digest, HexLength};
use crate::hashing::json::{Mode, Sink};
use crate::hashing::shell;
use crate::python::errors;
use crate::python::hashing::payload::{begin_database, begin_http, write_notification};
use crate::python::hashing::{Body, canonical_json};
use crate::python::shell::{detached, utf8};
use crate::targets;

const MAX_LABEL_CHARACTERS: usize = 200;
const MAX_KIND_CHARACTERS: usize = 64;
const BUILT_IN: [&str; 6] = ["argv", "database", "http", "notification", "shell", "tool"];

/// One action somebody wants done: its kind, its operative payload in canonical form, and the context it would run in.
///
/// The identity is all 32 bytes of SHA-256 over the canonical form, and over the context where one is given:
/// `\0interlock.context\0` + `canonical_json(context)` + `\0` + canonical form. No canonical form starts with NUL.
/// `display_id` is a label and never part of it: what a database cannot store is replaced, what is too long is cut.
///
/// Made by `shell`, `argv`, `http`, `database`, `notification`, `tool` or `custom`. Each raises `CanonicalizationError`
/// for a payload without a canonical form, and `ProposalTooLarge` for one above `MAX_PAYLOAD_BYTES`.
#[pyclass(frozen, module = "interlock.dedup")]
pub(in crate::python) struct Proposal {
    pub(super) kind: Cow<'static, str>,
    pub(super) content_hash: Digest,
    pub(super) cmd_hash: Digest,
    pub(super) display_id: Option<Box<str>>,
    canonical: Box<[u8]>,
    context: Option<Context>,
    logical_keys: OnceLock<Vec<String>>,
}

struct Context {
    given: Py<PyDict>,
    canonical: Box<[u8]>,
}

/// What every proposal may have besides its payload.
type Label<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

#[pymethods]
impl Proposal {
    /// A command line for `sh -c`.
    #[staticmethod]
    #[pyo3(signature = (command, *, display_id = None, context = None))]
    fn shell(
        command: &Bound<'_, PyString>,
        display_id: Label<'_, '_>,
        context: Label<'_, '_>,
    ) -> PyResult<Self> {
        let (py, text) = (command.py(), utf8(command)?);
        let canonical = detached(py, text, || shell::canonical(text))
            .map_err(|error| errors::shell(py, error))?;
        Self::new(py, Cow::Borrowed("shell"), canonical.as_bytes(), display_id, context)
    }

    /// A program and its arguments, run without a shell.
    #[staticmethod]
    #[pyo3(signature = (arguments, *, display_id = None, context = None))]
    fn argv(
        arguments: &Bound<'_, PyAny>,
        display_id: Label<'_, '_>,
        context: Label<'_, '_>,
    ) -> PyResult<Self> {
        let py = arguments.py();
        let words: Option<Vec<Bound<'_, PyString>>> = arguments.extract().ok();
        let Some(words) =
            words.filter(|words| !words.is_empty() && !arguments.is_instance_of::<PyString>())
        else {
            return Err(errors::canonicalization(
                py,
                "argv is a list of one or more strings".to_owned(),
                "$",
                "argv",
            ));
        };
        let words = PyList::new(py, words)?;
        Self::of_json(Cow::Borrowed("argv"), &words, display_id, context)
    }

    /// An HTTP request; the host, when not in the path, belongs in `context`.
    #[staticmethod]
    #[pyo3(
        signature = (method, path, body = Body::Absent, *, display_id = None, context = None),
        text_signature = "(method, path, body=ABSENT, *, display_id=None, context=None)"
    )]
    fn http(
        method: &Bound<'_, PyString>,
        path: &Bound<'_, PyString>,
        body: Body<'_>,
        display_id: Label<'_, '_>,
        context: Label<'_, '_>,
    ) -> PyResult<Self> {
        let mut sink = Sink::bytes(Mode::Exact);
        begin_http(&mut sink, method, path, body)?.finish(&mut sink)?;
        Self::new(method.py(), Cow::Borrowed("http"), sink.as_bytes(), display_id, context)
    }

    /// A write to one row. `values` may be left out for a delete only, since nothing else says what it does.
    #[staticmethod]
    #[pyo3(
        signature = (table, primary_key, operation, values = Body::Absent, *, display_id = None, context = None),
        text_signature = "(table, primary_key, operation, values=ABSENT, *, display_id=None, context=None)"
    )]
    fn database(
        table: &Bound<'_, PyString>,
        primary_key: &Bound<'_, PyAny>,
        operation: &Bound<'_, PyString>,
        values: Body<'_>,
        display_id: Label<'_, '_>,
        context: Label<'_, '_>,
    ) -> PyResult<Self> {
        let py = table.py();
        let deletes = operation.to_string_lossy().eq_ignore_ascii_case("delete");
        if matches!(values, Body::Absent) && !deletes {
            let message = "a database operation other than delete needs its values: without them two different ones \
                           would be the same";
            return Err(errors::canonicalization(py, message.to_owned(), "$.values", "absent"));
        }
        let mut sink = Sink::bytes(Mode::Exact);
        begin_database(&mut sink, table, primary_key, operation, values)?.finish(&mut sink)?;
        Self::new(py, Cow::Borrowed("database"), sink.as_bytes(), display_id, context)
    }

    /// A message to somebody.
    #[staticmethod]
    #[pyo3(signature = (recipient, channel, message, *, display_id = None, context = None))]
    fn notification(
        recipient: &Bound<'_, PyString>,
        channel: &Bound<'_, PyString>,
        message: &Bound<'_, PyString>,
        display_id: Label<'_, '_>,
        context: Label<'_, '_>,
    ) -> PyResult<Self> {
        let mut sink = Sink::bytes(Mode::Exact);
        write_notification(&mut sink, recipient, channel, message)?;
        Self::new(message.py(), Cow::Borrowed("notification"), sink.as_bytes(), display_id, context)
    }

    /// A call of a tool, with every argument it is called with.
    #[staticmethod]
    #[pyo3(signature = (name, arguments, *, display_id = None, context = None))]
    fn tool(
        name: &Bound<'_, PyString>,
        arguments: &Bound<'_, PyAny>,
        display_id: Label<'_, '_>,
        context: Label<'_, '_>,
    ) -> PyResult<Self> {
        let form = PyList::new(name.py(), [name.as_any(), arguments])?;
        Self::of_json(Cow::Borrowed("tool"), &form, display_id, context)
    }

    /// An action of your own kind; every field of `payload` counts.
    #[staticmethod]
    #[pyo3(signature = (kind, payload, *, display_id = None, context = None))]
    fn custom(
        kind: &Bound<'_, PyString>,
        payload: &Bound<'_, PyAny>,
        display_id: Label<'_, '_>,
        context: Label<'_, '_>,
    ) -> PyResult<Self> {
        let name = kind.to_string_lossy();
        let printable = kind.call_method0("isprintable")?.extract::<bool>()?;
        if BUILT_IN.contains(&&*name)
            || !printable
            || !(1..=MAX_KIND_CHARACTERS).contains(&kind.len()?)
        {
            let message = format!(
                "a custom kind has 1 to {MAX_KIND_CHARACTERS} printable characters, and is none of {}",
                BUILT_IN.join(", ")
            );
            return Err(errors::canonicalization(kind.py(), message, "", "kind"));
        }
        Self::of_json(Cow::Owned(name.into_owned()), payload, display_id, context)
    }

    /// `"shell"`, `"http"`, … or the custom kind.
    #[getter]
    fn kind(&self) -> &str {
        &self.kind
    }

    /// The identity: 64 hexadecimal digits.
    #[getter]
    fn content_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, &self.content_hash.hex(HexLength::FULL))
    }

    /// For people: 12 hexadecimal digits of the digest of the canonical form alone, without the context.
    #[getter]
    fn cmd_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, &self.cmd_hash.hex(HexLength::SHORT))
    }

    /// `verb:target` of every operations command in a shell command or argv, in order, each once.
    #[getter]
    fn logical_keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.keys())
    }

    /// The proposer's label.
    #[getter]
    fn display_id(&self) -> Option<&str> {
        self.display_id.as_deref()
    }

    /// The context it was given, or None. It counts in the identity.
    #[getter]
    fn context<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.context.as_ref().map(|context| context.given.bind(py).copy()).transpose()
    }

    /// The canonical form, itself a valid payload of this kind.
    #[getter]
    fn canonical<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.canonical)
    }

    /// The canonical JSON of the context, or None.
    #[getter]
    fn canonical_context<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.context.as_ref().map(|context| PyBytes::new(py, &context.canonical))
    }

    /// Without the payload: it may hold secrets.
    fn __repr__(&self) -> String {
        format!("<Proposal {} {}>", self.kind, &*self.cmd_hash.hex(HexLength::SHORT))
    }
}

impl Proposal {
    fn new(
        py: Python<'_>,
        kind: Cow<'static, str>,
        canonical: &[u8],
        display_id: Label<'_, '_>,
        context: Label<'_, '_>,
    ) -> PyResult<Self> {
        let context = context.map(Context::new).transpose()?;
        let size = canonical.len() + context.as_ref().map_or(0, |context| context.canonical.len());
        if size > MAX_PAYLOAD_BYTES {
            return Err(errors::proposal_too_large(py, size));
        }
        let cmd_hash = Digest::of(canonical);
        let content_hash = match &context {
            Some(context) => identity(canonical, Some(&context.canonical)),
            None => cmd_hash,
        };
        let display_id = display_id.map(label).transpose()?;
        let canonical = canonical.into();
        Ok(Self {
            kind,
            content_hash,
            cmd_hash,
            display_id,
            canonical,
            context,
            logical_keys: OnceLock::new(),
        })
    }

    fn of_json(
        kind: Cow<'static, str>,
        payload: &Bound<'_, PyAny>,
        display_id: Label<'_, '_>,
        context: Label<'_, '_>,
    ) -> PyResult<Self> {
        let canonical = canonical_json(payload, false)?;
        Self::new(payload.py(), kind, canonical.as_bytes(), display_id, context)
    }

    /// The logical keys, found when first asked for.
    pub(super) fn keys(&self) -> &[String] {
        self.logical_keys.get_or_init(|| {
            let command = match &*self.kind {
                "shell" => std::str::from_utf8(&self.canonical).unwrap_or_default().into(),
                "argv" => Cow::Owned(command_line(&self.canonical)),
                _ => return Vec::new(),
            };
            targets::logical_keys(&command)
        })
    }
}

impl Context {
    fn new(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = given.py();
        if given.cast::<PyMapping>().is_err() {
            let message = "context is a mapping such as {'cwd': '/srv'}".to_owned();
            return Err(errors::canonicalization(py, message, "context", "type"));
        }
        let copied = py.get_type::<PyDict>().call1((given,))?.cast_into::<PyDict>()?;
        let canonical = canonical_json(&copied, false)?.as_bytes().into();
        Ok(Self { given: copied.unbind(), canonical })
    }
}

/// A label never makes a proposal fail.
fn label(display_id: &Bound<'_, PyAny>) -> PyResult<Box<str>> {
    let text = display_id.str()?;
    let kept = text.to_string_lossy().chars().take(MAX_LABEL_CHARACTERS).collect::<String>();
    Ok(kept.replace('\0', "\u{fffd}").into())
}

/// The words of a JSON list as a command line.
fn command_line(words: &[u8]) -> String {
    let words: Vec<String> = serde_json::from_slice(words).unwrap_or_default();
    words
        .iter()
        .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
        .collect::<Vec<_>>()
        .join(" ")
}
