"""Two asyncpg pools, one per login role, and the scope decides which: no scope, no connection.

::

    async with create_tenant_pools(tenant_dsn, admin_dsn) as pools:
        with tenant_scope(org_id):
            rows = await pools.fetch("SELECT * FROM invoices")  # row-level security shows this org's
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import asyncpg

from interlock.errors import TenantInvariantError
from interlock.tenancy.acquisition import Acquisition, TransactionAcquisition
from interlock.tenancy.lane import SystemLane
from interlock.tenancy.literals import checked_setting_name
from interlock.tenancy.modes import MODE_NAMES, ModeName
from interlock.tenancy.opening import Opened, Plan, open_pools
from interlock.tenancy.scope import require_frame
from interlock.tenancy.seal import Key, key_for
from interlock.tenancy.stats import TenantPoolsStats
from interlock.tenancy.trace import record_refusal

if TYPE_CHECKING:
    from interlock.tenancy.connection import TenantConnection
    from interlock.tenancy.system_statements import TenantStatement

_default: TenantPools | None = None


class TenantPools:
    """The tenant pool and the admin pool; see :func:`create_tenant_pools`."""

    def __init__(self, plan: Plan, *, default: bool) -> None:
        self._plan = plan
        self._is_default = default
        self._opened: Opened | None = None
        self._opening = asyncio.Lock()

    def __await__(self) -> Generator[Any, None, Self]:
        return self._open().__await__()

    async def __aenter__(self) -> Self:
        return await self._open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _open(self) -> Self:
        global _default
        async with self._opening:
            if self._opened is None:
                self._opened = await open_pools(self._plan)
        if self._is_default:
            _default = self
        return self

    @property
    def plan(self) -> Plan:
        """What the pools were created with; the addresses do not show in its repr."""
        return self._plan

    # --- use

    def acquire(self, *, timeout: float | None = None) -> Acquisition:
        """Take a connection for the current scope, which is bound now, at the call.

        In ``tenant_scope`` it is one of the tenant role, with the org set; in ``pre_org_resolution_scope`` one of
        the admin role. ``async with`` the result, or ``await`` it and :meth:`release` the connection.

        Args:
            timeout: seconds to wait for a connection that is ready.

        Raises:
            ScopeMissing, ScopeEnded: there is no living scope; nothing was taken and nothing sent.
            PoolExhausted: on entry, none was ready within ``timeout``.

        """
        try:
            frame = require_frame()
        except TenantInvariantError as refusal:
            record_refusal(refusal)
            raise
        opened = self._running()
        return Acquisition(opened.admin if frame.pre_resolution else opened.tenant, frame, timeout)

    async def release(self, connection: TenantConnection, *, timeout: float | None = None) -> None:
        """Give back a connection that was awaited; the second time it does nothing."""
        opened = self._running()
        for pool in (opened.tenant, opened.admin):
            if pool.lent(connection):
                await pool.release(connection, timeout)
                return
        raise asyncpg.InterfaceError(f"{connection!r} was not acquired from these pools")

    def transaction(self, *, timeout: float | None = None, **options: Any) -> TransactionAcquisition:
        """Take a connection and begin a transaction on it: ``async with pools.transaction() as connection:``.

        Args:
            timeout: seconds to wait for a connection that is ready.
            options: asyncpg's ``isolation``, ``readonly``, ``deferrable``.

        """
        return TransactionAcquisition(self.acquire(timeout=timeout), options)

    # Not `async def`: the scope is bound at the call, as in acquire().

    def execute(self, query: str, *args: Any, timeout: float | None = None) -> Coroutine[Any, Any, str]:
        """Run :meth:`asyncpg.Connection.execute` on a connection of the current scope."""
        return self._call("execute", query, *args, timeout=timeout)

    def executemany(
        self, command: str, args: Iterable[Any], *, timeout: float | None = None
    ) -> Coroutine[Any, Any, None]:
        """Run :meth:`asyncpg.Connection.executemany` on a connection of the current scope."""
        return self._call("executemany", command, args, timeout=timeout)

    def fetch(
        self, query: str, *args: Any, timeout: float | None = None, **options: Any
    ) -> Coroutine[Any, Any, list[Any]]:
        """Run :meth:`asyncpg.Connection.fetch` on a connection of the current scope."""
        return self._call("fetch", query, *args, timeout=timeout, **options)

    def fetchrow(
        self, query: str, *args: Any, timeout: float | None = None, **options: Any
    ) -> Coroutine[Any, Any, Any]:
        """Run :meth:`asyncpg.Connection.fetchrow` on a connection of the current scope."""
        return self._call("fetchrow", query, *args, timeout=timeout, **options)

    def fetchval(
        self, query: str, *args: Any, timeout: float | None = None, **options: Any
    ) -> Coroutine[Any, Any, Any]:
        """Run :meth:`asyncpg.Connection.fetchval` on a connection of the current scope."""
        return self._call("fetchval", query, *args, timeout=timeout, **options)

    def _call(self, method: str, *args: Any, **options: Any) -> Coroutine[Any, Any, Any]:
        return _run_on(self.acquire(), method, args, options)

    def fetch_own(self, statement: TenantStatement, *args: Any) -> Coroutine[Any, Any, list[Any]]:
        """Run one of Interlock's own statements for the tenant of the current scope, without a checkout."""
        return self._running().tenant_lane.fetch(self.acquire(), statement, *args)

    # --- life

    def stats(self) -> TenantPoolsStats:
        """How full the pools are, what was counted, and which mode is at work."""
        opened = self._running()
        return TenantPoolsStats(
            mode=opened.tenant.mode.name,
            mode_reason=opened.mode_reason,
            tenant=opened.tenant.stats(),
            admin=opened.admin.stats(),
        )

    @property
    def lane(self) -> SystemLane:
        """Interlock's own way to the admin pool, for its constant statements alone."""
        return self._running().lane

    async def expire_connections(self) -> None:
        """Replace every connection at its next release or acquire, as after a change of a password."""
        await self._running().expire()

    def terminate(self) -> None:
        """Close every connection at once."""
        self._retire()
        if self._opened is not None:
            self._opened.terminate()

    async def close(self) -> None:
        """Wait until every connection is released, then close them all."""
        self._retire()
        if self._opened is not None:
            await self._opened.close()

    def _retire(self) -> None:
        global _default
        if _default is self:
            _default = None

    def _running(self) -> Opened:
        if self._opened is None:
            raise asyncpg.InterfaceError("the pools are not open: await them, or use `async with`")
        return self._opened


async def _run_on(acquisition: Acquisition, method: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    async with acquisition as connection:
        return await getattr(connection, method)(*args, **options)


def create_tenant_pools(
    tenant_dsn: str,
    admin_dsn: str,
    *,
    tenant_column: str = "org_id",
    guc: str = "app.current_org_id",
    mode: ModeName = "auto",
    tamper_evident: bool | Key = False,
    admin_options: Mapping[str, Any] | None = None,
    default: bool = False,
    doctor: Literal["error", "warn", "off"] = "error",
    **asyncpg_options: Any,
) -> TenantPools:
    """Make the two pools; ``await`` the result or use ``async with``, as with :func:`asyncpg.create_pool`.

    Args:
        tenant_dsn: address of the runtime role: no superuser, no BYPASSRLS, owner of nothing.
        admin_dsn: address of the BYPASSRLS role, used in ``pre_org_resolution_scope`` alone.
        tenant_column: the column that holds the tenant's id in every tenant table.
        guc: the setting that the policies read. ``app.current_org_id``, which those of Interlock's own tables read,
            holds the org as well.
        mode: how the scope gets into a session: ``"merged"``, ``"pipelined"``, ``"transaction"`` (for poolers), or
            ``"auto"``: the best that works; ``stats().mode`` says which.
        tamper_evident: True, or a :class:`Key`: the scope travels with a signature, so that a ``SET`` that slips
            into a statement gets 42501 instead of another tenant. True takes the key from ``INTERLOCK_SCOPE_KEY``.
        admin_options: asyncpg's options for the admin pool; they override ``asyncpg_options``.
        default: make :func:`acquire_connection` use these pools.
        doctor: what to do at the start about a policy that lets rows through without a tenant.
        asyncpg_options: those of :func:`asyncpg.create_pool`, for both pools. ``init`` runs without a scope;
            settings it makes are made again after every reset.

    Raises:
        RoleViolation, PolicyViolation, PoolerDetected: when opened; see their descriptions.
        ValueError: an argument cannot be what it should be.

    """
    if mode not in MODE_NAMES:
        raise ValueError(f"mode={mode!r}: give one of {', '.join(MODE_NAMES)}")
    if doctor not in ("error", "warn", "off"):
        raise ValueError(f"doctor={doctor!r}: give error, warn or off")
    plan = Plan(
        tenant_dsn=tenant_dsn,
        admin_dsn=admin_dsn,
        tenant_column=tenant_column,
        guc=checked_setting_name(guc),
        mode=mode,
        key=key_for(tamper_evident),
        tenant_options=asyncpg_options,
        admin_options={**asyncpg_options, **(admin_options or {})},
        doctor=doctor,
    )
    return TenantPools(plan, default=default)


def acquire_connection(*, timeout: float | None = None) -> Acquisition:
    """Take a connection for the current scope from the pools created with ``default=True``.

    Raises:
        asyncpg.InterfaceError: there are none.
        ScopeMissing, ScopeEnded, PoolExhausted: as :meth:`TenantPools.acquire`.

    """
    if _default is None:
        raise asyncpg.InterfaceError("there are no default pools: create_tenant_pools(…, default=True) makes them")
    return _default.acquire(timeout=timeout)
