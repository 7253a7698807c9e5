//! Binds `tenancy::reply`: a protocol between an asyncio transport and the driver's protocol.

use parking_lot::Mutex;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::tenancy::reply::{Expected, Failure, Forward, ReplyScanner};

/// Stands between a transport and asyncpg's protocol and takes out the answers to what was written ahead.
///
/// `on_failure(during, sqlstate)` is called once, with `"prelude"` or `"reset"` and a code or None, when the
/// session must be closed; from then on nothing reaches the driver.
#[pyclass(frozen, module = "interlock.tenancy", name = "ReplyProtocol")]
pub(super) struct ReplyProtocol {
    inner: Py<PyAny>,
    data_received: Py<PyAny>,
    on_failure: Py<PyAny>,
    on_settled: Mutex<Option<Py<PyAny>>>,
    scanner: Mutex<ReplyScanner>,
}

/// What a chunk comes to, decided before Python is called again.
enum Outcome {
    Whole,
    Part(Vec<u8>),
    Failed(Failure),
}

#[pymethods]
impl ReplyProtocol {
    #[new]
    fn new(inner: Bound<'_, PyAny>, on_failure: Py<PyAny>) -> PyResult<Self> {
        Ok(Self {
            data_received: inner.getattr("data_received")?.unbind(),
            inner: inner.unbind(),
            on_failure,
            on_settled: Mutex::new(None),
            scanner: Mutex::new(ReplyScanner::default()),
        })
    }

    /// Announces a prelude of `completes` commands, about to be written without Sync.
    fn expect_prelude(&self, py: Python<'_>, completes: u8) -> PyResult<()> {
        self.expect(py, Expected::Prelude { completes: completes.max(1) })
    }

    /// Announces a reset, about to be written with Sync.
    fn expect_reset(&self, py: Python<'_>) -> PyResult<()> {
        self.expect(py, Expected::Reset)
    }

    /// How many preludes and resets are unanswered.
    #[getter]
    fn unanswered(&self) -> usize {
        self.scanner.lock().unanswered()
    }

    /// Whether a reset is unanswered.
    #[getter]
    fn awaits_reset(&self) -> bool {
        self.scanner.lock().awaits_reset()
    }

    /// Whether statements were prepared or dropped through SQL since the last call.
    fn take_prepared_by_sql(&self) -> bool {
        self.scanner.lock().take_prepared_by_sql()
    }

    /// Whether the server reported the value of a setting since the last call.
    fn take_reported(&self) -> bool {
        self.scanner.lock().take_reported()
    }

    /// Calls `callback()` once, when nothing is unanswered any more.
    fn when_settled(&self, py: Python<'_>, callback: Py<PyAny>) -> PyResult<()> {
        if self.scanner.lock().unanswered() == 0 {
            callback.call0(py)?;
        } else {
            *self.on_settled.lock() = Some(callback);
        }
        Ok(())
    }

    fn data_received(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let Ok(chunk) = data.cast::<PyBytes>() else {
            // Some transports hand out a bytearray that they use again.
            return self.take(py, &py.get_type::<PyBytes>().call1((data,))?.cast_into()?);
        };
        self.take(py, chunk)
    }

    fn connection_made(&self, py: Python<'_>, transport: Py<PyAny>) -> PyResult<()> {
        self.inner.call_method1(py, "connection_made", (transport,)).map(drop)
    }

    fn connection_lost(&self, py: Python<'_>, error: Py<PyAny>) -> PyResult<()> {
        self.settle(py)?;
        self.inner.call_method1(py, "connection_lost", (error,)).map(drop)
    }

    fn eof_received(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.inner.call_method0(py, "eof_received")
    }

    fn pause_writing(&self, py: Python<'_>) -> PyResult<()> {
        self.inner.call_method0(py, "pause_writing").map(drop)
    }

    fn resume_writing(&self, py: Python<'_>) -> PyResult<()> {
        self.inner.call_method0(py, "resume_writing").map(drop)
    }

    /// The callback leads back here; without this the collector could not see the circle, and every
    /// closed connection would stay in memory with all it holds.
    #[allow(clippy::needless_pass_by_value)] // PyO3's signature
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.inner)?;
        visit.call(&self.data_received)?;
        visit.call(&self.on_failure)?;
        match self.on_settled.try_lock() {
            Some(callback) => visit.call(&*callback),
            None => Ok(()),
        }
    }

    fn __getattr__(&self, py: Python<'_>, name: &str) -> PyResult<Py<PyAny>> {
        self.inner.getattr(py, name)
    }
}

impl ReplyProtocol {
    fn expect(&self, py: Python<'_>, group: Expected) -> PyResult<()> {
        let announced = self.scanner.lock().expect(group);
        match announced {
            // Whoever gave the stream up has told already.
            Ok(()) | Err(Failure::GivenUp) => Ok(()),
            Err(failure) => self.fail(py, failure),
        }
    }

    fn take(&self, py: Python<'_>, chunk: &Bound<'_, PyBytes>) -> PyResult<()> {
        // The lock must be free when Python is called, which may come back here.
        let (outcome, settled) = {
            let mut scanner = self.scanner.lock();
            let before = scanner.unanswered();
            let mut output = Vec::new();
            let outcome = match scanner.feed(chunk.as_bytes(), &mut output) {
                Ok(Forward::All) => Outcome::Whole,
                Ok(Forward::Appended) => Outcome::Part(output),
                Err(failure) => Outcome::Failed(failure),
            };
            (outcome, before > 0 && scanner.unanswered() == 0)
        };
        if settled {
            self.settle(py)?;
        }
        match outcome {
            Outcome::Whole => self.data_received.call1(py, (chunk,)).map(drop),
            Outcome::Part(bytes) if bytes.is_empty() => Ok(()),
            Outcome::Part(bytes) => {
                self.data_received.call1(py, (PyBytes::new(py, &bytes),)).map(drop)
            }
            Outcome::Failed(failure) => self.fail(py, failure),
        }
    }

    fn settle(&self, py: Python<'_>) -> PyResult<()> {
        let callback = self.on_settled.lock().take();
        callback.map_or(Ok(()), |callback| callback.call0(py).map(drop))
    }

    fn fail(&self, py: Python<'_>, failure: Failure) -> PyResult<()> {
        let (during, sqlstate) = match failure {
            Failure::GivenUp => return Ok(()),
            Failure::Refused { during, sqlstate } => (Some(during), sqlstate),
            Failure::Unexpected { during, .. } => (Some(during), None),
            Failure::Malformed | Failure::Overflow => (None, None),
        };
        let during = match during {
            Some(Expected::Prelude { .. }) => "prelude",
            Some(Expected::Reset) | None => "reset",
        };
        let sqlstate = sqlstate.map(|code| String::from_utf8_lossy(&code).into_owned());
        self.on_failure.call1(py, (during, sqlstate)).map(drop)
    }
}
