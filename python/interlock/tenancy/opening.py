"""Opening the pools: look at both roles first, choose the mode, connect."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from interlock.errors import PoolerDetected
from interlock.tenancy.lane import SystemLane
from interlock.tenancy.merged import Merged
from interlock.tenancy.modes import Mode, ModeName
from interlock.tenancy.role_pool import RolePool
from interlock.tenancy.roles import Identity, identify, require_admin_role, require_different, require_tenant_role
from interlock.tenancy.session import run_unscoped
from interlock.tenancy.stats import Counters

_POOL_OPTIONS = frozenset(
    {
        *("init_size", "min_size", "max_size", "max_queries", "max_inactive_connection_lifetime"),
        *("connect", "setup", "init", "reset", "loop", "connection_class", "record_class"),
    }
)


@dataclass(frozen=True)
class Plan:
    """The arguments of ``create_tenant_pools``; the addresses never show in a repr."""

    tenant_dsn: str = field(repr=False)
    admin_dsn: str = field(repr=False)
    tenant_column: str
    guc: str
    mode: ModeName
    tenant_options: dict[str, Any] = field(repr=False)
    admin_options: dict[str, Any] = field(repr=False)
    doctor: str


@dataclass(frozen=True)
class Opened:
    """The running pools."""

    tenant: RolePool
    admin: RolePool
    lane: SystemLane
    mode_reason: str

    async def close(self) -> None:
        """Close the lane first, since it holds connections of the admin pool."""
        await self.lane.close()
        await asyncio.gather(self.tenant.close(), self.admin.close())


async def open_pools(plan: Plan) -> Opened:
    """Check both roles on connections of their own, then open both pools.

    Raises:
        RoleViolation: a role has rights it must not have, or lacks those it needs.
        PoolerDetected: there is a pooler, and the mode that was asked for cannot work behind one.

    """
    tenant = await run_unscoped(_look(plan, plan.tenant_dsn, plan.tenant_options))
    admin = await run_unscoped(_look(plan, plan.admin_dsn, plan.admin_options))
    require_different(tenant, admin)
    require_tenant_role(tenant, plan.guc)
    require_admin_role(admin)
    mode, reason = _choose(plan, tenant)
    tenant_pool, admin_pool = _tenant_pool(plan, mode), _admin_pool(plan, tenant, admin)
    await run_unscoped(_open_both(tenant_pool, admin_pool))
    return Opened(tenant_pool, admin_pool, SystemLane(admin_pool), reason)


async def _look(plan: Plan, dsn: str, options: dict[str, Any]) -> Identity:
    connect = options.get("connect") or asyncpg.connect
    connecting = {name: value for name, value in options.items() if name not in _POOL_OPTIONS}
    # A pooler may give each statement to another server session: nothing prepared may be relied on.
    connection = await connect(dsn, **{**connecting, "statement_cache_size": 0})
    try:
        return await identify(connection, plan.tenant_column, plan.guc)
    finally:
        await connection.close()


def _choose(plan: Plan, who: Identity) -> tuple[type[Mode], str]:
    if who.pooled and plan.mode in ("merged", "pipelined"):
        raise PoolerDetected(
            f"mode={plan.mode!r} needs a session of its own, and there is a pooler between here and the server (the "
            'process that answers is not the one that was announced): use mode="transaction" or "auto"'
        )
    return Merged, "" if plan.mode != "auto" else "the server keeps a session for each connection"


def _tenant_pool(plan: Plan, mode: type[Mode]) -> RolePool:
    counters = Counters()

    async def vet(connection: asyncpg.Connection) -> Identity:
        who = await identify(connection, plan.tenant_column, plan.guc)
        require_tenant_role(who, plan.guc)
        return who

    return RolePool(plan.tenant_dsn, plan.tenant_options, mode(plan.guc, counters), vet, counters)


def _admin_pool(plan: Plan, tenant: Identity, admin: Identity) -> RolePool:
    counters = Counters()

    async def vet(connection: asyncpg.Connection) -> Identity:
        who = await identify(connection, plan.tenant_column, plan.guc)
        require_different(tenant, who)
        require_admin_role(who)
        return who

    return RolePool(plan.admin_dsn, plan.admin_options, Merged(plan.guc, counters), vet, counters)


async def _open_both(tenant: RolePool, admin: RolePool) -> None:
    try:
        await tenant.open()
        await admin.open()
    except BaseException:
        tenant.terminate()
        raise
