"""Scope, pools and connections: acquisition is routed by a context-local scope and fails closed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from interlock.errors import (
    InvalidOrgId,
    InvalidReason,
    PoolerDetected,
    RoleViolation,
    ScopeConflict,
    ScopeEnded,
    ScopeEscalation,
    ScopeMissing,
    TenantInvariantError,
    TransactionRequired,
)
from interlock.tenancy.scope import (
    BreakGlass,
    OrgId,
    Scope,
    TenantContext,
    current_org_id,
    current_scope,
    pre_org_resolution_scope,
    spawn_scoped,
    tenant_scope,
    with_tenant,
)
from interlock.tenancy.seal import Key, rotate_scope_key

__all__ = [
    "BreakGlass",
    "InvalidOrgId",
    "InvalidReason",
    "Key",
    "OrgId",
    "PoolerDetected",
    "RoleViolation",
    "Scope",
    "ScopeConflict",
    "ScopeEnded",
    "ScopeEscalation",
    "ScopeMissing",
    "TenantContext",
    "TenantInvariantError",
    "TransactionRequired",
    "current_org_id",
    "current_scope",
    "pre_org_resolution_scope",
    "rotate_scope_key",
    "spawn_scoped",
    "tenant_scope",
    "with_tenant",
]

# What needs asyncpg is imported on first use: scopes work without it.
_LAZY: dict[str, str] = {}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
