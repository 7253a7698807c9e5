//! The bindings: one file per topic, no logic. Exported flat, so that the stub stays complete.

mod canary;
mod compat;
mod dedup;
mod errors;
mod gates;
mod hashing;
mod shell;
mod targets;
mod tenancy;

/// Private native module of the package `interlock`; import `interlock` instead.
#[pyo3::pymodule(gil_used = false)]
#[pyo3(name = "_native")]
mod native {
    // canary

    // compat

    // dedup

    // gates

    // hashing

    // shell

    // targets

    // tenancy

    /// The version of the crate this module was built from.
    #[pymodule_export]
    #[allow(non_upper_case_globals)] // Python's spelling
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
