//! Binds `tenancy::seal`.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::org_id::parse_org_id;
use crate::tenancy::seal::SealKey;

/// A secret that signs the org of a session. Its repr, and everything else about it, hides the secret.
///
/// `secret`: at least 32 random bytes, or a str whose UTF-8 bytes are used as they are
/// (`openssl rand -hex 32`). Raises `ValueError` if it is shorter, `TypeError` if it is neither.
#[pyclass(frozen, module = "interlock.tenancy", name = "Key")]
pub(super) struct Key(SealKey);

#[pymethods]
impl Key {
    #[new]
    fn new(secret: &Bound<'_, PyAny>) -> PyResult<Self> {
        let key = if let Ok(text) = secret.cast::<PyString>() {
            // Python's own error would carry the text it could not encode.
            let text = text
                .to_str()
                .map_err(|_| PyValueError::new_err("a scope key given as a str must be Unicode"))?;
            SealKey::new(text.as_bytes())
        } else {
            SealKey::new(secret.cast::<PyBytes>()?.as_bytes())
        };
        key.map(Self).map_err(|short| PyValueError::new_err(short.to_string()))
    }

    /// 16 hexadecimal digits that name the key and reveal nothing of it.
    #[getter]
    fn id(&self) -> &str {
        self.0.id()
    }

    /// The value of the setting `interlock.seal`: valid for `org_id` in the session of backend `pid`
    /// until `expires_at` (whole seconds since the epoch). Raises `InvalidOrgId`.
    fn seal(&self, pid: i32, org_id: &Bound<'_, PyAny>, expires_at: i64) -> PyResult<String> {
        Ok(self.0.seal(pid, &parse_org_id(org_id)?, expires_at))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| other.get().0.id() == self.0.id())
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        PyString::new(py, self.0.id()).hash()
    }

    fn __repr__(&self) -> String {
        format!("Key(id={})", self.0.id())
    }

    /// A copy in a pickle would be a copy of the secret.
    #[allow(clippy::unused_self)] // a method, by the protocol
    fn __reduce__(&self) -> PyResult<()> {
        Err(pyo3::exceptions::PyTypeError::new_err("a scope key cannot be pickled or copied"))
    }
}

/// The two pads of `key`, 64 bytes each, for the table that only `interlock.current_org()` reads.
/// They are as secret as the key.
#[pyfunction]
pub(super) fn scope_key_pads<'py>(
    py: Python<'py>,
    key: &Bound<'py, Key>,
) -> (Bound<'py, PyBytes>, Bound<'py, PyBytes>) {
    let pads = key.get().0.pads();
    (PyBytes::new(py, &pads.inner), PyBytes::new(py, &pads.outer))
}
