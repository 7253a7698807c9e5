//! Binds `canary`.

use pyo3::prelude::*;

use crate::canary::{Canary, CanaryError, Hit, scan};

use super::errors::raise;

/// One token found by `scan_canaries`.
#[pyclass(frozen, get_all, module = "interlock._native")]
pub(super) struct CanaryHit {
    /// Index of the org that wrote it.
    org: u32,
    /// Index of the endpoint it was sent to; None if the token was cut.
    endpoint: Option<u32>,
    /// Index of the field it was put in; None if the token was cut.
    field: Option<u32>,
    /// Which write it was; None if the token was cut.
    serial: Option<u32>,
    /// Where in the scanned bytes.
    start: usize,
    /// "raw", "escaped", "base64" or "hex".
    encoding: &'static str,
}

impl From<Hit> for CanaryHit {
    fn from(hit: Hit) -> Self {
        Self {
            org: hit.org,
            endpoint: hit.canary.map(|canary| canary.endpoint),
            field: hit.canary.map(|canary| canary.field),
            serial: hit.canary.map(|canary| canary.serial),
            start: hit.start,
            encoding: hit.encoding.name(),
        }
    }
}

/// The token that says: org `org` wrote this into field `field` of endpoint `endpoint`, as write `serial`.
///
/// Raises `CanaryRangeError` if a part does not fit: org and serial are below 2**20, the others below 2**10.
#[pyfunction]
pub(super) fn encode_canary(
    py: Python<'_>,
    org: u32,
    endpoint: u32,
    field: u32,
    serial: u32,
) -> PyResult<String> {
    let canary = Canary { org, endpoint, field, serial };
    canary.encode().map_err(|error| range_error(py, &error))
}

/// Every token in `text`, raw or encoded, in order of position.
#[pyfunction]
pub(super) fn scan_canaries(py: Python<'_>, text: &[u8]) -> Vec<CanaryHit> {
    let hits = if text.len() > 64 * 1024 { py.detach(|| scan(text)) } else { scan(text) };
    hits.into_iter().map(CanaryHit::from).collect()
}

fn range_error(py: Python<'_>, error: &CanaryError) -> PyErr {
    raise(py, "CanaryRangeError", error.to_string(), |fields| {
        fields.set_item("part", error.part)?;
        fields.set_item("value", error.value)?;
        fields.set_item("maximum", error.max)
    })
}
