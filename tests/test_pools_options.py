"""asyncpg's own options, and pools that are opened, used and closed in unusual ways."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from interlock.errors import ModeUnavailable
from interlock.tenancy import TenantConnection, TenantPools, create_tenant_pools, current_scope, tenant_scope
from interlock.tenancy.modes import ModeName

if TYPE_CHECKING:
    from conftest import TenantDatabase

ORG = "SELECT current_setting('app.current_org_id', true)"
PID = "SELECT pg_backend_pid()"

Make = Callable[..., TenantPools]


@pytest.fixture(params=["merged", "pipelined"])
def make(request: pytest.FixtureRequest, tenant_database: TenantDatabase) -> Make:
    mode: ModeName = request.param

    def make(**options: Any) -> TenantPools:
        return create_tenant_pools(*tenant_database.dsns, mode=mode, **{"min_size": 0, "max_size": 1, **options})

    return make


@pytest.mark.parametrize("size", [0, 2])
async def test_a_small_cache_of_statements(make: Make, size: int) -> None:
    async with make(statement_cache_size=size) as pools:
        pids = set()
        for number in range(8):
            org, names = [("A", 2), ("B", 1)][number % 2]
            with tenant_scope(org):
                async with pools.acquire() as connection:
                    assert await connection.fetchval(f"SELECT $1::int + {number}", 1) == number + 1
                    statement = await connection.prepare("SELECT name FROM items WHERE name <> $1")
                    assert len(await statement.fetch("")) == names
                    pids.add(await connection.fetchval(PID))
        stats = pools.stats()
        assert len(pids) == 1
        assert (stats.resets_failed, stats.preludes_failed, stats.sessions_refused) == (0, 0, 0)


async def test_sessions_that_are_replaced_after_some_queries(make: Make) -> None:
    async with make(max_queries=3) as pools:
        pids = set()
        for org in "ABABABAB":
            with tenant_scope(org):
                async with pools.acquire() as connection:
                    assert await connection.fetchval(ORG) == org
                    pids.add(await connection.fetchval(PID))
        stats = pools.stats()
        assert len(pids) > 1
        assert (stats.resets_failed, stats.preludes_failed) == (0, 0)


async def test_a_codec_that_setup_sets_keeps_the_session(make: Make) -> None:
    async def setup(connection: TenantConnection) -> None:
        await connection.set_type_codec("text", schema="pg_catalog", encoder=str, decoder=str.upper, format="text")

    async with make(setup=setup) as pools:
        pids = set()
        for org in "ABA":
            with tenant_scope(org):
                async with pools.acquire() as connection:
                    assert await connection.fetchval("SELECT 'x'::text") == "X"
                    pids.add(await connection.fetchval(PID))
        assert len(pids) == 1


@pytest.mark.parametrize("callback", ["init", "setup", "reset", "connect"])
async def test_a_callback_that_raises_loses_no_slot(make: Make, callback: str) -> None:
    broken = True
    scopes = []

    async def run(*args: Any, **options: Any) -> Any:
        scopes.append(current_scope())
        if broken:
            raise LookupError("broken")
        return await asyncpg.connect(*args, **options) if callback == "connect" else None

    async def use(org: str) -> Any:
        with tenant_scope(org):
            return await pools.fetchval(ORG, timeout=30)

    broken = callback != "connect"
    async with make(**{callback: run}) as pools:
        broken = True
        with pytest.raises(LookupError):
            await use("A")
        broken = False
        assert await use("B") == "B"
        assert await use("A") == "A"
    # Only `setup` is for the one who acquires.
    assert any(scopes) == (callback == "setup")


async def test_a_statement_that_init_prepares_in_sql_is_refused_once_and_for_all(make: Make) -> None:
    """Every new session would be refused, for ever."""

    async def init(connection: asyncpg.Connection) -> None:
        await connection.execute("PREPARE p AS SELECT 1")

    with pytest.raises(ModeUnavailable):
        await make(init=init, min_size=1)


async def test_pools_opened_by_two_tasks_at_once(make: Make, tenant_database: TenantDatabase) -> None:
    pools = make(min_size=1)

    async def open_them() -> TenantPools:
        return await pools

    assert await asyncio.gather(open_them(), open_them()) == [pools, pools]
    await pools.close()
    superuser = await asyncpg.connect(tenant_database.superuser_dsn)
    own = "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'interlock_a%' AND datname = current_database()"
    assert await _becomes(lambda: superuser.fetchval(own), 0)
    await superuser.close()


async def test_closed_pools_say_so(make: Make) -> None:
    pools = make()
    with tenant_scope("A"):
        with pytest.raises(asyncpg.InterfaceError, match="not open"):
            pools.acquire()
        async with pools:
            assert await pools.fetchval(ORG) == "A"
        with pytest.raises(asyncpg.InterfaceError, match="clos"):
            await pools.fetchval(ORG)
    await pools.close()


async def _becomes(ask: Callable[[], Awaitable[Any]], expected: object) -> bool:
    for _ in range(1000):
        if await ask() == expected:
            return True
        await asyncio.sleep(0.01)
    return False
