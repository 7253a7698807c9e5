//! The members of one object, in the order of their names.

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::borrowed::{self, BorrowedRef};
use super::leaves::exactly;
use super::refusal::{Refusal, utf8};
use super::scalar;
use crate::hashing::json::Fault;
use crate::hashing::json::order::{order_prefix, utf16_order};

/// A name and a value that a dict holds.
#[derive(Clone, Copy)]
pub(super) struct Member {
    /// Decides most comparisons. Set when the name has been read.
    prefix: u64,
    name: BorrowedRef,
    pub(super) value: BorrowedRef,
}

impl Member {
    /// A member whose name has not been read: it may be no string.
    #[inline]
    pub(super) fn unread(name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> Self {
        Self { prefix: 0, name: BorrowedRef::of(name), value: BorrowedRef::of(value) }
    }

    /// Reads the name if it is plainly ASCII, as most are; false if it is not, or is no string at all.
    #[inline]
    pub(super) fn read_ascii(&mut self, py: Python<'_>) -> bool {
        let name = self.name.get(py);
        let text = exactly::<PyString>(&name).and_then(|name| borrowed::ascii(name.as_borrowed()));
        text.map(|text| self.prefix = order_prefix(text)).is_some()
    }

    /// Reads any other name. If it is no string or has no UTF-8, which is refused, Python code may run.
    pub(super) fn read(&mut self, py: Python<'_>) -> Result<(), Box<Refusal>> {
        // Counted, since that code can take it out of the dict.
        let name = self.name.get(py).to_owned();
        let Ok(name) = name.cast::<PyString>() else {
            return Err(Fault::Key { kind: scalar::type_name(&name) }.into());
        };
        self.prefix = order_prefix(utf8(name, "a key")?);
        Ok(())
    }

    /// The name, which has been read.
    #[inline]
    pub(super) fn name<'a>(self, py: Python<'_>) -> &'a str {
        self.name.text(py)
    }

    /// Counted references to the name and the value.
    pub(super) fn keep(self, py: Python<'_>) -> [Py<PyAny>; 2] {
        [self.name.keep(py), self.value.keep(py)]
    }
}

/// Puts members in the order of their names. Returns the second of two with one name, if there is such a
/// pair: a dict can hold one only through a `str` subclass with its own `__eq__`.
pub(super) fn order(py: Python<'_>, members: &mut [Member]) -> Option<Member> {
    let is_ordered = members.is_sorted_by(|left, right| left.prefix < right.prefix);
    if is_ordered {
        return None;
    }
    members.sort_unstable_by(|left, right| {
        left.prefix.cmp(&right.prefix).then_with(|| utf16_order(left.name(py), right.name(py)))
    });
    let is_named_alike =
        |pair: &&[Member]| pair[0].prefix == pair[1].prefix && pair[0].name(py) == pair[1].name(py);
    members.windows(2).find(is_named_alike).map(|pair| pair[1])
}
