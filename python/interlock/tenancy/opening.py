"""Opening the pools: look at both roles first, choose the mode, connect."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from interlock.errors import ModeUnavailable, PolicyViolation, PoolerDetected
from interlock.tenancy.chaining import alone
from interlock.tenancy.lane import SystemLane
from interlock.tenancy.merged import Merged
from interlock.tenancy.modes import Mode, ModeName
from interlock.tenancy.pipelined import Pipelined
from interlock.tenancy.probe.findings import Finding
from interlock.tenancy.probe.start import open_without_a_tenant
from interlock.tenancy.role_pool import RolePool
from interlock.tenancy.roles import Identity, identify, require_admin_role, require_different, require_tenant_role
from interlock.tenancy.seal import Key
from interlock.tenancy.sealing import Sealer
from interlock.tenancy.selftest import why_not_pipelined
from interlock.tenancy.session import run_unscoped
from interlock.tenancy.stats import Counters
from interlock.tenancy.tenant_lane import TenantLane
from interlock.tenancy.transaction import Transaction

logger = logging.getLogger("interlock.tenancy")

_POOL_OPTIONS = frozenset(
    {
        *("init_size", "min_size", "max_size", "max_queries", "max_inactive_connection_lifetime"),
        *("connect", "setup", "init", "reset", "loop", "connection_class", "record_class"),
    }
)


@dataclass(frozen=True)
class Plan:
    """The arguments of ``create_tenant_pools``; addresses and passwords never show in a repr."""

    tenant_dsn: str = field(repr=False)
    admin_dsn: str = field(repr=False)
    tenant_column: str
    guc: str
    mode: ModeName
    key: Key | None = field(repr=False)
    tenant_options: dict[str, Any] = field(repr=False)
    admin_options: dict[str, Any] = field(repr=False)
    doctor: str

    @property
    def connect_options(self) -> dict[str, Any]:
        """Those of the tenant pool's options that ``asyncpg.connect`` takes."""
        return _connecting(self.tenant_options)


def _connecting(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in _POOL_OPTIONS}


@dataclass(frozen=True)
class Opened:
    """The running pools."""

    tenant: RolePool
    admin: RolePool
    lane: SystemLane
    tenant_lane: TenantLane
    mode_reason: str

    async def close(self) -> None:
        """Close the system lane first, since it holds connections of the admin pool."""
        await self.lane.close()
        await asyncio.gather(self.tenant.close(), self.tenant_lane.close(), self.admin.close())

    async def expire(self) -> None:
        """Replace every session at its next use."""
        self.tenant_lane.expire()
        await self.tenant.expire()
        await self.admin.expire()

    def terminate(self) -> None:
        """Close every session at once."""
        self.tenant_lane.terminate()
        self.tenant.terminate()
        self.admin.terminate()


@dataclass(frozen=True)
class _Look:
    """What one role and the way to it are like."""

    who: Identity
    findings: list[Finding]
    unpipelined: str  # why the pipelined mode cannot work here; empty if it can


async def open_pools(plan: Plan) -> Opened:
    """Check both roles on connections of their own, then open both pools.

    Raises:
        RoleViolation: a role has rights it must not have, or lacks those it needs.
        PolicyViolation: a policy admits rows without a tenant, and ``doctor`` is ``"error"``.
        PoolerDetected, ModeUnavailable: the mode that was asked for cannot work.
        asyncpg.ClientConfigurationError: an address is none.

    """
    try:
        tenant = await run_unscoped(_look(plan, "tenant_dsn", plan.tenant_dsn, plan.tenant_options))
        admin = await run_unscoped(_look(plan, "admin_dsn", plan.admin_dsn, plan.admin_options))
    except Exception as error:  # noqa: BLE001 - raised again, by itself
        raise alone(error) from None
    require_different(tenant.who, admin.who)
    require_tenant_role(tenant.who, plan.guc)
    require_admin_role(admin.who)
    _report(plan, tenant.findings)

    def vet_tenant(who: Identity) -> None:
        require_tenant_role(who, plan.guc)

    def vet_admin(who: Identity) -> None:
        require_different(tenant.who, who)
        require_admin_role(who)

    mode, reason = _choose(plan, tenant)
    sealer = Sealer(plan.key) if plan.key is not None else None
    tenant_pool = _pool(plan, plan.tenant_dsn, plan.tenant_options, mode, vet_tenant, sealer)
    admin_mode, _ = _choose(plan, admin)
    admin_pool = _pool(plan, plan.admin_dsn, plan.admin_options, admin_mode, vet_admin, None)
    await run_unscoped(_open_both(tenant_pool, admin_pool))
    return Opened(tenant_pool, admin_pool, SystemLane(admin_pool), TenantLane(tenant_pool), reason)


async def _look(plan: Plan, name: str, dsn: str, options: dict[str, Any]) -> _Look:
    connect = options.get("connect") or asyncpg.connect
    # A pooler may give each statement to another server session: nothing prepared may be relied on.
    try:
        connection = await connect(dsn, **{**_connecting(options), "statement_cache_size": 0})
    except ValueError:
        # The driver's message may quote a part of the address, which may be of the password.
        raise asyncpg.ClientConfigurationError(
            f"{name} or an option beside it is not valid: write postgresql://user:password@host:port/database, with "
            "every special character of user and password percent-encoded"
        ) from None
    try:
        who = await identify(connection, plan.tenant_column, plan.guc)
        findings = []
        if plan.doctor != "off" and not (who.superuser or who.bypasses):
            findings = await open_without_a_tenant(connection, plan.tenant_column, plan.guc)
        unpipelined = "it was not asked for"
        if plan.mode in ("auto", "pipelined") and not who.pooled:
            unpipelined = await why_not_pipelined(connection, who, plan.guc)
        return _Look(who, findings, unpipelined)
    finally:
        await connection.close()


def _report(plan: Plan, findings: list[Finding]) -> None:
    if not findings:
        return
    tables = tuple(sorted({finding.object for finding in findings}))
    message = (
        f"row-level security of {', '.join(tables)} lets rows through although {plan.guc} is unset or empty, as it is "
        "after every reset: compare with nullif(current_setting(…, true), ''). `interlock doctor` says more; "
        'doctor="warn" lets it pass'
    )
    if plan.doctor == "error":
        raise PolicyViolation(message, tables=tables)
    logger.warning("%s", message)


def _choose(plan: Plan, look: _Look) -> tuple[type[Mode], str]:
    """The mode, and why ``auto`` chose it."""
    if look.who.pooled and plan.mode in ("merged", "pipelined"):
        raise PoolerDetected(
            f"mode={plan.mode!r} needs a session of its own, and there is a pooler between here and the server (the "
            'process that answers is not the one that was announced): use mode="transaction" or "auto"'
        )
    if plan.mode == "pipelined" and look.unpipelined:
        raise ModeUnavailable(f'mode="pipelined" cannot work here: {look.unpipelined}. Use mode="merged" or "auto"')
    if plan.mode != "auto":
        return {"merged": Merged, "pipelined": Pipelined, "transaction": Transaction}[plan.mode], ""
    if look.who.pooled:
        return Transaction, "there is a pooler in between"
    if look.unpipelined:
        return Merged, f"the pipelined mode cannot work here: {look.unpipelined}"
    return Pipelined, "the self-test passed"


def _pool(
    plan: Plan,
    dsn: str,
    options: dict[str, Any],
    mode: type[Mode],
    vet: Callable[[Identity], None],
    sealer: Sealer | None,
) -> RolePool:
    async def identify_and_vet(connection: asyncpg.Connection) -> Identity:
        who = await identify(connection, plan.tenant_column, plan.guc)
        vet(who)
        if who.pooled and not mode.transactional:
            raise PoolerDetected("a pooler has come between here and the server: create the pools again")
        return who

    if mode.transactional:
        # What was prepared in one transaction is unknown to the session that serves the next.
        options = {"statement_cache_size": 0, **options}
    return RolePool(dsn, options, mode(plan.guc, Counters()), identify_and_vet, sealer)


async def _open_both(tenant: RolePool, admin: RolePool) -> None:
    try:
        await tenant.open()
        await admin.open()
    except BaseException:
        tenant.terminate()
        raise
