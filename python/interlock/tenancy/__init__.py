"""Scope, pools and connections: acquisition is routed by a context-local scope and fails closed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from interlock.errors import (
    InvalidOrgId,
    InvalidReason,
    PolicyViolation,
    PoolerDetected,
    PoolExhausted,
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

if TYPE_CHECKING:
    from interlock.tenancy.connection import TenantConnection
    from interlock.tenancy.pools import TenantPools, acquire_connection, create_tenant_pools
    from interlock.tenancy.stats import TenantPoolsStats

__all__ = [
    "BreakGlass",
    "InvalidOrgId",
    "InvalidReason",
    "Key",
    "OrgId",
    "PolicyViolation",
    "PoolExhausted",
    "PoolerDetected",
    "RoleViolation",
    "Scope",
    "ScopeConflict",
    "ScopeEnded",
    "ScopeEscalation",
    "ScopeMissing",
    "TenantConnection",
    "TenantContext",
    "TenantInvariantError",
    "TenantPools",
    "TenantPoolsStats",
    "TransactionRequired",
    "acquire_connection",
    "create_tenant_pools",
    "current_org_id",
    "current_scope",
    "pre_org_resolution_scope",
    "rotate_scope_key",
    "spawn_scoped",
    "tenant_scope",
    "with_tenant",
]

# What needs asyncpg is imported on first use: scopes work without it.
_LAZY: dict[str, str] = {
    "TenantConnection": "interlock.tenancy.connection",
    "TenantPools": "interlock.tenancy.pools",
    "TenantPoolsStats": "interlock.tenancy.stats",
    "acquire_connection": "interlock.tenancy.pools",
    "create_tenant_pools": "interlock.tenancy.pools",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
