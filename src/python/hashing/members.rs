//! The members of one object, in the order of their names.

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::borrowed::{self, BorrowedRef};
use crate::hashing::json::order::{order_prefix, utf16_order};

/// A name and a value that a dict holds.
#[derive(Clone, Copy)]
pub(super) struct Member {
    /// Decides most comparisons.
    prefix: u64,
    name: BorrowedRef,
    pub(super) value: BorrowedRef,
}

impl Member {
    /// A member of this name, whose UTF-8 is `text`.
    #[inline]
    pub(super) fn new(name: &Bound<'_, PyString>, text: &str, value: &Bound<'_, PyAny>) -> Self {
        let (name, value) = (BorrowedRef::of(name), BorrowedRef::of(value));
        Self { prefix: order_prefix(text), name, value }
    }

    #[inline]
    pub(super) fn name<'a>(self, py: Python<'_>) -> &'a str {
        // It had UTF-8 when the member was made, so it has.
        self.name
            .get(py)
            .cast::<PyString>()
            .ok()
            .and_then(|name| borrowed::utf8(name).ok())
            .unwrap_or_default()
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
