//! Binds `targets`.

use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use super::errors;
use super::shell::{detached, utf8};
use crate::targets::{self, Action as Core, Object, ScopeValue, VerbClass};

/// One operations command found in a command line: what is done to what, and where.
///
/// Immutable, hashable, picklable. Made by `actions`.
#[pyclass(frozen, eq, hash, module = "interlock.targets")]
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Action(Core<'static>);

#[pymethods]
impl Action {
    /// The tool without its path: `docker`, `docker compose`, `kubectl`.
    #[getter]
    fn tool(&self) -> &str {
        &self.0.tool
    }

    /// The verb in its main spelling: `stop`, `rollout restart`; empty if it cannot be known.
    #[getter]
    fn verb(&self) -> &str {
        &self.0.verb
    }

    /// What the verb does: `start`, `stop`, `restart`, `pause`, `resume`, `create`, `delete`,
    /// `scale`, `update`, `execute`, `read` or `other`.
    #[getter]
    fn verb_class(&self) -> &'static str {
        self.0.verb_class.name()
    }

    /// The names of the targets as the tool means them: `web`, `pod/x`, `nginx.service`.
    #[getter]
    fn targets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.targets().collect::<Vec<_>>())
    }

    /// Where the targets live, as far as the command says: a new dict of str, or of list of str for
    /// options that add up.
    #[getter]
    fn scope<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let scope = PyDict::new(py);
        for (key, value) in &self.0.scope {
            match value {
                ScopeValue::One(one) => scope.set_item(key, one)?,
                ScopeValue::Many(many) => scope.set_item(key, PyList::new(py, many)?)?,
            }
        }
        Ok(scope)
    }

    /// The command acts on something that its text does not name.
    #[getter]
    fn dynamic(&self) -> bool {
        self.0.dynamic
    }

    /// `verb:object` or `verb:object@scope` for each target.
    #[getter]
    fn logical_keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.logical_keys().collect::<Vec<_>>())
    }

    /// The logical keys without the verb: equal for two actions on one object.
    #[getter]
    fn target_keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.target_keys().collect::<Vec<_>>())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let Core { tool, verb, scope, dynamic, .. } = &self.0;
        let (tool, verb) = (PyString::new(py, tool).repr()?, PyString::new(py, verb).repr()?);
        let mut parts = vec![tool.to_string(), verb.to_string()];
        parts.push(format!("targets={}", self.targets(py)?.repr()?));
        if !scope.is_empty() {
            parts.push(format!("scope={}", self.scope(py)?.repr()?));
        }
        if *dynamic {
            parts.push("dynamic=True".to_owned());
        }
        Ok(format!("Action({})", parts.join(", ")))
    }

    /// Pickles as the arguments of `_restored`.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Fields)> {
        let core = &slf.get().0;
        let restored = slf.get_type().getattr("_restored")?;
        let scope = core.scope.iter().map(|(key, value)| (key.clone(), value.into())).collect();
        let fields = (
            core.tool.to_string(),
            core.verb.to_string(),
            core.verb_class.name().to_owned(),
            core.targets().map(str::to_owned).collect(),
            core.objects.iter().map(|object| object.key.to_string()).collect(),
            scope,
            core.dynamic,
        );
        Ok((restored, fields))
    }

    #[staticmethod]
    fn _restored(
        tool: String,
        verb: String,
        verb_class: &str,
        targets: Vec<String>,
        objects: Vec<String>,
        scope: HashMap<String, Value>,
        dynamic: bool,
    ) -> Self {
        let scope = scope.into_iter().map(|(key, value)| (key, value.into())).collect();
        let verb_class = VerbClass::from_name(verb_class);
        let mut names = targets.into_iter();
        let object = |key: String| Object { name: names.next().map(Into::into), key: key.into() };
        Self(Core {
            tool: tool.into(),
            verb: verb.into(),
            verb_class,
            objects: objects.into_iter().map(object).collect(),
            scope,
            dynamic,
        })
    }
}

type Fields = (String, String, String, Vec<String>, Vec<String>, HashMap<String, Value>, bool);

/// A scope value in a pickle.
#[derive(FromPyObject, IntoPyObject)]
enum Value {
    One(String),
    Many(Vec<String>),
}

impl From<&ScopeValue> for Value {
    fn from(value: &ScopeValue) -> Self {
        match value {
            ScopeValue::One(one) => Self::One(one.clone()),
            ScopeValue::Many(many) => Self::Many(many.clone()),
        }
    }
}

impl From<Value> for ScopeValue {
    fn from(value: Value) -> Self {
        match value {
            Value::One(one) => Self::One(one),
            Value::Many(many) => Self::Many(many),
        }
    }
}

/// Return every operations command of a command line, in the order in which they are written.
///
/// The line is parsed as a POSIX shell would, then each command is read by the option tables of its
/// tool. Wrappers (`sudo`, `env`, `timeout`, `sh -c` …) are looked into; `docker exec`, `ssh` and the
/// like are not, since what they run is elsewhere. A line outside the constructs that the shell
/// parser accepts has no actions. Raises `CanonicalizationError` for a lone surrogate.
#[pyfunction]
pub(super) fn actions<'py>(command: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyTuple>> {
    let py = command.py();
    let text = utf8(command)?;
    let found = detached(py, text, || targets::actions(text));
    let found = found.into_iter().map(|action| Bound::new(py, Action(action)));
    PyTuple::new(py, found.collect::<PyResult<Vec<_>>>()?)
}

/// Return the first logical key of a command line, such as "stop:web"; None if no action of it has a
/// known target.
///
/// Despite its name, which is the published one, it knows all tools. Raises `CanonicalizationError`
/// for a lone surrogate.
#[pyfunction]
pub(super) fn docker_logical_key(command: &Bound<'_, PyString>) -> PyResult<Option<String>> {
    let text = utf8(command)?;
    Ok(detached(command.py(), text, || targets::first_logical_key(text)))
}

/// Teach `actions` a tool, for the whole process, and return the name under which the grammar is
/// replaced and removed.
///
/// A grammar is a TOML table (known by its tool), or a regular expression with the groups `verb`
/// and `target` (known by its text). An expression must match one whole simple command: its literal
/// words in canonical form, joined by single spaces, after its wrappers are taken off. Further
/// groups become the scope. Expressions are those of the Rust crate `regex`: matching takes linear
/// time; look-around and back-references do not exist. Registered grammars go before the built-in
/// ones. Raises `GrammarError` if the grammar is not valid or 64 are registered already.
#[pyfunction]
pub(super) fn register_grammar(grammar: &Bound<'_, PyString>) -> PyResult<String> {
    let py = grammar.py();
    let text = grammar.to_str()?;
    py.detach(|| targets::register(text)).map_err(|error| errors::grammar(py, &error))
}

/// Remove a registered grammar by the name that `register_grammar` returned: was it there?
#[pyfunction]
pub(super) fn unregister_grammar(name: &str) -> bool {
    targets::unregister(name)
}
