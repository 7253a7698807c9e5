//! The result of reading an operations command, and its logical keys.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use smallvec::SmallVec;

/// What a verb does to its targets, whatever the tool calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerbClass {
    /// Brings up: start, up, run, enable.
    Start,
    /// Brings down, the object stays: stop, kill, down, disable.
    Stop,
    /// Down and up again: restart, reload.
    Restart,
    /// Holds without stopping: pause, freeze, cordon.
    Pause,
    /// Ends a pause: unpause, thaw, uncordon.
    Resume,
    /// Makes an object: create, install, apply, deploy.
    Create,
    /// Removes an object: rm, delete, uninstall, prune.
    Delete,
    /// Changes the number of copies.
    Scale,
    /// Changes an object in place: update, patch, set.
    Update,
    /// Runs a program inside: exec, attach, debug.
    Execute,
    /// Only looks: ps, logs, inspect, get.
    Read,
    /// Anything else, and every verb that the grammar does not know.
    Other,
}

impl VerbClass {
    /// The class of this name; [`VerbClass::Other`] if there is none.
    pub fn from_name(name: &str) -> Self {
        let name: StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
        Self::deserialize(name).unwrap_or(Self::Other)
    }

    /// The name as it is written in grammars and seen in Python.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Scale => "scale",
            Self::Update => "update",
            Self::Execute => "execute",
            Self::Read => "read",
            Self::Other => "other",
        }
    }
}

/// The value of one part of the scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ScopeValue {
    /// The last one given counts: `--host`.
    One(String),
    /// All count, in the order given: `--file`.
    Many(Vec<String>),
}

/// Where the targets live, as far as the command says so: `host`, `namespace`, `project` …
pub type Scope = BTreeMap<String, ScopeValue>;

/// One thing that is acted upon; its texts are parts of the command line where they can be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Object<'a> {
    /// Its name as the tool means it; None for everything in the scope.
    pub name: Option<Cow<'a, str>>,
    /// Its name with its kind (`volume/web`), percent-encoded as the keys carry it.
    pub key: Cow<'a, str>,
}

impl Object<'_> {
    /// The same object, without the command line.
    pub(super) fn into_owned(self) -> Object<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Object { name: self.name.map(owned), key: owned(self.key) }
    }
}

/// Objects, most often one.
pub type Objects<'a> = SmallVec<[Object<'a>; 1]>;

/// One operations command: what is done to what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Action<'a> {
    /// The tool, without its path: `docker`, `docker compose`, `kubectl`.
    pub tool: Cow<'a, str>,
    /// The verb in its main spelling: `stop`, `rollout restart`; empty if it cannot be known.
    pub verb: Cow<'a, str>,
    /// What the verb does.
    pub verb_class: VerbClass,
    /// What it is done to; empty if `dynamic`.
    pub objects: Objects<'a>,
    /// The scope that the command gives explicitly.
    pub scope: Scope,
    /// The command acts on something that its text does not name.
    pub dynamic: bool,
}

impl<'a> Action<'a> {
    /// Something that is done by `tool`, with nothing else known.
    pub(super) fn unclear(tool: &'a str) -> Self {
        Self {
            tool: tool.into(),
            verb: Cow::default(),
            verb_class: VerbClass::Other,
            objects: Objects::new(),
            scope: Scope::new(),
            dynamic: true,
        }
    }

    /// The same action, without the command line.
    pub fn into_owned(self) -> Action<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Action {
            tool: owned(self.tool),
            verb: owned(self.verb),
            verb_class: self.verb_class,
            objects: self.objects.into_iter().map(Object::into_owned).collect(),
            scope: self.scope,
            dynamic: self.dynamic,
        }
    }

    /// The names of what it is done to, as the tool means them.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().filter_map(|object| object.name.as_deref())
    }

    /// `verb:object` or `verb:object@scope` for each target.
    pub fn logical_keys(&self) -> impl Iterator<Item = String> {
        let verb = escaped(&self.verb, b":");
        let scope = scope_suffix(&self.scope);
        self.objects.iter().map(move |object| [&verb, ":", &object.key, &scope].concat())
    }

    /// The logical keys without the verb: equal for two actions on one object.
    pub fn target_keys(&self) -> impl Iterator<Item = String> {
        let scope = scope_suffix(&self.scope);
        self.objects.iter().map(move |object| [&*object.key, &scope].concat())
    }
}

/// `@key=value,key=value`, sorted by key; empty without a scope.
///
/// An object has no bare `=` and a value no bare `,`, so two different pairs of object and scope
/// never give one text.
fn scope_suffix(scope: &Scope) -> String {
    let mut suffix = String::new();
    for (key, value) in scope {
        let values = match value {
            ScopeValue::One(one) => std::slice::from_ref(one),
            ScopeValue::Many(many) => many,
        };
        for value in values {
            let separator = if suffix.is_empty() { '@' } else { ',' };
            let _ = write!(suffix, "{separator}{key}={}", escaped(value, b","));
        }
    }
    suffix
}

/// `text` with `%` and each of the ASCII characters `reserved` percent-encoded.
pub(super) fn escaped<'a, const N: usize>(text: &'a str, reserved: &[u8; N]) -> Cow<'a, str> {
    let is_reserved = |byte: u8| byte == b'%' || reserved.contains(&byte);
    if !text.bytes().any(is_reserved) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if u8::try_from(c).is_ok_and(is_reserved) {
            let _ = write!(out, "%{:02X}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}
