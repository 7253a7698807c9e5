//! An awaitable that has its result already: entering and leaving a block of ours never suspends.

use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;

/// An awaitable that is ready.
#[pyclass(module = "interlock")]
pub(super) struct Ready(pub(super) Option<Py<PyAny>>);

#[pymethods]
impl Ready {
    const fn __await__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    const fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&mut self) -> PyResult<()> {
        Err(PyStopIteration::new_err((self.0.take(),)))
    }
}
