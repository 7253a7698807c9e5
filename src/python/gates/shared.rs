//! Binds the table in a memory-mapped file.

use std::path::PathBuf;

use pyo3::prelude::*;

#[cfg(unix)]
use crate::gates::shared::open;

use super::arguments::{MaxKeys, USUAL_KEYS, gate_error};
use super::clock::ClockSource;
use super::gate::{Gates, Home};

/// `Gates` in a memory-mapped file: one quota for all workers of a host, forked or spawned, exact
/// and without locks.
///
/// All workers give the same `path` and `max_keys`; a file system in memory such as `/dev/shm` is
/// best. The file is made with mode 0600; one that another version, another `max_keys` or an earlier
/// boot left is replaced. A worker that is killed leaves nothing behind that would stop the others.
/// `clock` is for tests: processes agree only on the system's.
///
/// Raises `SharedGatesError` (an `OSError`): the file is not a table of gates, is another user's, is
/// open to others, or cannot be made. Raises `GateLimitError` (a `ValueError`) for `max_keys`.
#[pyclass(frozen, extends = Gates, module = "interlock.gates")]
pub(in crate::python) struct SharedGates {
    #[pyo3(get)]
    path: PathBuf,
}

#[pymethods]
impl SharedGates {
    #[new]
    #[pyo3(signature = (path, *, max_keys = USUAL_KEYS, clock = None))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        max_keys: MaxKeys,
        clock: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let clock = ClockSource::from_argument(clock)?;
        // Another worker may hold the file's lock for a moment.
        let core = py.detach(|| open(&path, max_keys.0)).map_err(|why| gate_error(py, &why))?;
        let gates = Gates { home: Home::new(core, clock) };
        Ok(PyClassInitializer::from(gates).add_subclass(Self { path }))
    }
}

#[cfg(not(unix))]
fn open(
    path: &std::path::Path,
    _max_keys: usize,
) -> Result<crate::gates::Gates, crate::gates::GateError> {
    Err(crate::gates::GateError::Shared {
        path: path.display().to_string(),
        reason: "shared gates need a POSIX system: use Gates in each process".to_owned(),
    })
}
