//! A name of an object, with its text at hand.

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::walk::{Refusal, utf8};

/// A string and its UTF-8, which is looked at for sorting, for writing and for the path of an error.
pub(super) struct Name {
    string: Py<PyString>,
    /// Borrowed from `string`; never handed out for longer than `self`.
    text: &'static str,
}

impl Name {
    pub(super) fn of(string: Bound<'_, PyString>) -> Result<Self, Box<Refusal>> {
        let text: *const str = utf8(&string, "a key")?;
        // SAFETY: a str object is immutable and keeps its UTF-8 in place until it is freed, and
        // `string` keeps the object alive as long as `self`, whose lifetime `text()` puts back.
        #[allow(unsafe_code)] // asking the object each time costs a tenth of a hash
        let text: &'static str = unsafe { &*text };
        Ok(Self { string: string.unbind(), text })
    }

    pub(super) fn text(&self) -> &str {
        self.text
    }

    /// Drops it under the interpreter lock that is held anyway, which need not be looked up again.
    pub(super) fn forget(self, py: Python<'_>) {
        drop(self.string.into_bound(py));
    }
}
