//! Binds `tenancy::org`.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyInt, PyString, PyType};

use super::errors::raise;
use crate::tenancy::org::{MAX_ORG_ID_LENGTH, OrgId, OrgIdError};

/// The canonical text of an org id. Raises `InvalidOrgId`.
#[pyfunction]
pub(super) fn canonical_org_id(org_id: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(parse_org_id(org_id)?.to_string())
}

pub(super) fn parse_org_id(given: &Bound<'_, PyAny>) -> PyResult<OrgId> {
    if let Ok(text) = given.cast::<PyString>() {
        // A lone surrogate has no UTF-8, and is no character of an org id.
        let text = text.to_str().map_err(|_| invalid(given, OrgIdError::Character))?;
        return OrgId::parse(text).map_err(|why| invalid(given, why));
    }
    if given.is_instance_of::<PyInt>() && !given.is_instance_of::<PyBool>() {
        return parse_int(given);
    }
    if given.is_instance(uuid_class(given.py())?)? {
        return Ok(OrgId::from_uuid(given.getattr(intern!(given.py(), "int"))?.extract()?));
    }
    Err(invalid_org_id(given, "give an int, a UUID or a str"))
}

fn parse_int(given: &Bound<'_, PyAny>) -> PyResult<OrgId> {
    if let Ok(number) = given.extract::<i64>() {
        return Ok(OrgId::from_i64(number));
    }
    // Checked first, because Python refuses to print very long integers: 128 digits have 426 bits.
    let int = given.py().get_type::<PyInt>();
    if int.call_method1("bit_length", (given,))?.extract::<usize>()? > 426 {
        return Err(invalid(given, OrgIdError::TooLong));
    }
    let digits = int.call_method1("__repr__", (given,))?.extract::<String>()?;
    OrgId::parse(&digits).map_err(|why| invalid(given, why))
}

fn uuid_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static UUID: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    UUID.import(py, "uuid", "UUID")
}

fn invalid(given: &Bound<'_, PyAny>, why: OrgIdError) -> PyErr {
    invalid_org_id(
        given,
        &format!("{why}; it must match [A-Za-z0-9_.:@-]{{1,{MAX_ORG_ID_LENGTH}}} in full"),
    )
}

/// The message never repeats the value: it may be hostile, or another tenant's.
fn invalid_org_id(given: &Bound<'_, PyAny>, why: &str) -> PyErr {
    let kind =
        given.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string());
    let py = given.py();
    raise(py, "InvalidOrgId", format!("this {kind} cannot be an org id: {why}"), |_| Ok(()))
}
