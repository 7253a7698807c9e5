//! The bindings: one file per topic, no logic. Exported flat, so that the stub stays complete.

mod canary;
mod compat;
mod current;
mod dedup;
mod errors;
mod gates;
mod hashing;
mod org_id;
mod ready;
mod reply;
mod scope;
mod seal;
mod shell;
mod targets;
mod tenancy;

/// Private native module of the package `interlock`; import `interlock` instead.
#[pyo3::pymodule(gil_used = false)]
#[pyo3(name = "_native")]
mod native {
    // canary
    #[pymodule_export]
    use super::canary::{CanaryHit, encode_canary, scan_canaries};

    // compat
    #[pymodule_export]
    use super::compat::{
        voidforge_docker_logical_key, voidforge_http_request_hash, voidforge_shell_command_hash,
    };

    // dedup
    #[pymodule_export]
    use super::dedup::{DedupDecision, DedupIndex, Proposal};

    /// Which release of the canonical forms makes the hashes.
    #[pymodule_export]
    const CANON_VERSION: i16 = crate::dedup::identity::CANON_VERSION;

    /// The most bytes of a canonical form and its context.
    #[pymodule_export]
    const MAX_PAYLOAD_BYTES: usize = crate::dedup::identity::MAX_PAYLOAD_BYTES;

    // gates
    #[pymodule_export]
    use super::gates::{
        Decision, DefaultEventBudget, EmptyGate, EventTotals, FireOnce, Gate, GateStats, Gates,
        ManualClock, SharedGates, Suppression, Transition, default_gates, empty_call, fire_once,
        forget_counts_after_fork, reset_fire_once, should_emit,
    };

    // hashing
    #[pymodule_export]
    use super::hashing::{
        Absent, HashBatch, JsonText, canonical_http, canonical_json, database_operation_hash,
        http_request_hash, json_hash, notification_hash,
    };

    // shell
    #[pymodule_export]
    use super::shell::{canonical_shell, shell_command_hash, why_shell_is_kept};

    // targets
    #[pymodule_export]
    use super::targets::{
        Action, actions, docker_logical_key, register_grammar, unregister_grammar,
    };

    // tenancy
    #[pymodule_export]
    use super::org_id::canonical_org_id;
    #[pymodule_export]
    use super::reply::ReplyProtocol;
    #[pymodule_export]
    use super::scope::{BreakGlass, FreshRoot, Scope, pre_org_resolution_scope, tenant_scope};
    #[pymodule_export]
    use super::seal::{Key, scope_key_pads};
    #[pymodule_export]
    use super::tenancy::{
        TenantContext, current_frame, current_org_id, current_scope, frame_allows, require_frame,
    };

    /// The version of the crate this module was built from.
    #[pymodule_export]
    #[allow(non_upper_case_globals)] // Python's spelling
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
