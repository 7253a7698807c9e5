//! Where the payloads of a batch come from.

use std::vec;

use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyList, PyTuple};

/// Payloads that have not been read. Each is handed over, so that it is freed when it has been.
pub(super) enum Source {
    /// Those that a list or tuple held when the batch was made, whatever is done to the list meanwhile.
    Taken(vec::IntoIter<Py<PyAny>>),
    /// Those of any other iterable, which is asked for them one by one.
    Asked(Py<PyIterator>),
    Exhausted,
}

impl Source {
    pub(super) fn of(payloads: &Bound<'_, PyAny>) -> PyResult<Self> {
        let taken: Vec<_> = if let Ok(tuple) = payloads.cast::<PyTuple>() {
            tuple.iter().map(Bound::unbind).collect()
        } else if let Ok(list) = payloads.cast::<PyList>() {
            list.iter().map(Bound::unbind).collect()
        } else {
            return Ok(Self::Asked(payloads.try_iter()?.unbind()));
        };
        Ok(Self::Taken(taken.into_iter()))
    }

    pub(super) fn next<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let next = match self {
            Self::Taken(payloads) => payloads.next().map(|payload| payload.into_bound(py)),
            Self::Asked(payloads) => payloads.bind(py).clone().next().transpose()?,
            Self::Exhausted => None,
        };
        if next.is_none() {
            *self = Self::Exhausted;
        }
        Ok(next)
    }

    pub(super) fn is_exhausted(&self) -> bool {
        matches!(self, Self::Exhausted)
    }
}
