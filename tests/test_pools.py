"""The pools against a real server: routing by scope, affinity, reset, life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

import asyncpg
import pytest

from interlock.errors import PoolExhausted
from interlock.tenancy import (
    ScopeConflict,
    ScopeEnded,
    ScopeMissing,
    TenantPools,
    acquire_connection,
    create_tenant_pools,
    current_org_id,
    pre_org_resolution_scope,
    tenant_scope,
)
from interlock.tenancy.modes import ModeName
from interlock.testing.roles import Roles

if TYPE_CHECKING:
    from conftest import TenantDatabase

ORG = "SELECT current_setting('app.current_org_id', true)"


@pytest.fixture(params=["merged", "pipelined"])
def mode(request: pytest.FixtureRequest) -> ModeName:
    chosen: ModeName = request.param
    return chosen


@pytest.fixture
def dsns(tenant_database: TenantDatabase) -> tuple[str, str]:
    return tenant_database.dsns


@pytest.fixture
async def pools(dsns: tuple[str, str], mode: ModeName) -> AsyncIterator[TenantPools]:
    async with create_tenant_pools(*dsns, min_size=1, max_size=1, mode=mode) as pools:
        yield pools


async def test_each_scope_sees_its_own_rows_on_the_same_session(pools: TenantPools) -> None:
    pids = set()
    for org, names in (("A", ["a1", "a2"]), ("B", ["b1"]), ("A", ["a1", "a2"])):
        with tenant_scope(org):
            async with pools.acquire() as connection:
                pids.add(await connection.fetchval("SELECT pg_backend_pid()"))
                assert await connection.fetchval(ORG) == org
                rows = await connection.fetch("SELECT name FROM items ORDER BY name")
                assert [row["name"] for row in rows] == names
    assert len(pids) == 1


async def test_pre_resolution_uses_the_admin_role(pools: TenantPools, database_roles: Roles) -> None:
    with pre_org_resolution_scope("login"):
        async with pools.acquire() as connection:
            assert await connection.fetchval("SELECT current_user::text") == database_roles.admin
            assert await connection.fetchval("SELECT count(*) FROM items") == 3
            assert not await connection.fetchval(ORG)


async def test_without_a_scope_nothing_is_taken(pools: TenantPools) -> None:
    before = pools.stats()
    with pytest.raises(ScopeMissing, match=r"tenant_scope.*pre_org_resolution_scope"):
        pools.acquire()
    with pytest.raises(ScopeMissing):
        await pools.fetch("SELECT 1")
    assert pools.stats() == before


async def test_the_scope_is_bound_when_acquire_is_called(pools: TenantPools) -> None:
    with tenant_scope("A"):
        acquisition = pools.acquire()
    with pytest.raises(ScopeEnded):
        await acquisition
    with pre_org_resolution_scope("across"):
        with tenant_scope("A"):
            late = pools.fetch("SELECT 1")
        with pytest.raises(ScopeEnded):
            await late


async def test_a_connection_outlives_its_scope_to_no_use(pools: TenantPools) -> None:
    with tenant_scope("A"):
        connection = await pools.acquire()
        statement = await connection.prepare("SELECT 1")
    with pytest.raises(ScopeEnded):
        await connection.fetch("SELECT 1")
    with pytest.raises(ScopeEnded):
        await statement.fetch()
    with tenant_scope("B"), pytest.raises(ScopeEnded):
        await connection.fetch("SELECT 1")
    await pools.release(connection)
    await pools.release(connection)
    with tenant_scope("B"):
        assert await pools.fetchval(ORG) == "B"
        with pytest.raises(asyncpg.InterfaceError, match="released"):
            await connection.fetch("SELECT 1")


async def test_a_connection_of_another_frame_is_refused(pools: TenantPools) -> None:
    with pre_org_resolution_scope("resolve"):
        connection = await pools.acquire()
        with tenant_scope("A"), pytest.raises(ScopeConflict):
            await connection.fetch("SELECT 1")
        await pools.release(connection)


async def test_an_exhausted_pool_says_so(pools: TenantPools) -> None:
    with tenant_scope("A"):
        async with pools.acquire():
            with pytest.raises(PoolExhausted, match=r"0\.05 s"):
                await pools.acquire(timeout=0.05)
        assert await pools.fetchval(ORG, timeout=5) == "A"


async def test_default_pools(dsns: tuple[str, str]) -> None:
    with tenant_scope("A"):
        with pytest.raises(asyncpg.InterfaceError, match="default=True"):
            acquire_connection()
        async with (
            create_tenant_pools(*dsns, min_size=0, max_size=1, default=True),
            acquire_connection() as connection,
        ):
            assert await connection.fetchval(ORG) == "A"
        with pytest.raises(asyncpg.InterfaceError, match="default=True"):
            acquire_connection()


async def test_init_runs_without_a_scope_and_its_settings_survive(dsns: tuple[str, str], mode: ModeName) -> None:
    seen = []

    async def init(connection: asyncpg.Connection) -> None:
        from interlock.tenancy import current_scope

        seen.append(current_scope())
        await connection.execute("SET work_mem = '7MB'; SET search_path = public, pg_catalog")

    async with create_tenant_pools(*dsns, min_size=0, max_size=1, init=init, mode=mode) as pools:
        for org in "AB":
            with tenant_scope(org):
                async with pools.acquire() as connection:
                    assert await connection.fetchval("SHOW work_mem") == "7MB"
                    assert await connection.fetchval("SHOW search_path") == "public, pg_catalog"
                    await connection.execute("SET work_mem = '1MB'")
    assert seen == [None]


async def test_cancelled_checkouts_lose_no_slot(pools: TenantPools) -> None:
    async def use(org: str) -> None:
        with tenant_scope(org):
            async with pools.acquire() as connection:
                assert await connection.fetchval(ORG) == org

    for ticks in range(40):
        task = asyncio.create_task(use("A"))
        for _ in range(ticks % 12):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await asyncio.wait_for(use("B"), 5)
    stats = pools.stats().tenant
    assert (stats.size, stats.idle) == (1, 1)


async def test_a_release_in_the_middle_of_an_operation_closes_the_session(pools: TenantPools) -> None:
    with tenant_scope("A"):
        connection = await pools.acquire()
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        running = asyncio.create_task(connection.fetchval("SELECT pg_sleep(10)"))
        await asyncio.sleep(0)
        with pytest.raises(asyncpg.InterfaceError, match="in progress"):
            await pools.release(connection)
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError)):
            await running
    with tenant_scope("B"):
        assert await pools.fetchval("SELECT pg_backend_pid()") != pid


async def test_listeners_get_the_guarded_connection_in_the_scope_that_added_them(pools: TenantPools) -> None:
    heard: asyncio.Queue[tuple[object, object, str]] = asyncio.Queue()

    def hear(connection: object, pid: int, channel: str, payload: str) -> None:
        heard.put_nowait((connection, current_org_id(), payload))

    with tenant_scope("A"):
        async with pools.acquire() as connection:
            await connection.add_listener("news", hear)
            await connection.execute("NOTIFY news, 'hello'")
            got = await asyncio.wait_for(heard.get(), 5)
            assert got == (connection, "A", "hello")
            await connection.remove_listener("news", hear)


async def test_copy_into_a_protected_table_says_why_it_cannot_be(pools: TenantPools) -> None:
    with tenant_scope("A"):
        async with pools.acquire() as connection:
            with pytest.raises(asyncpg.FeatureNotSupportedError, match=r"'items'.*row-level security.*executemany"):
                await connection.copy_records_to_table("items", records=[("A", "x")])
            assert await connection.fetchval("SELECT count(*) FROM items") == 2


async def test_cursors_and_prepared_statements_are_refused_in_another_scope(pools: TenantPools) -> None:
    async def after(scope_left: Callable[[], Awaitable[object]]) -> None:
        with pytest.raises(ScopeEnded):
            await scope_left()

    with tenant_scope("A"):
        connection = await pools.acquire()
        transaction = connection.transaction()
        await transaction.start()
        statement = await connection.prepare("SELECT name FROM items")
        cursor = await connection.cursor("SELECT name FROM items")
        rows = connection.cursor("SELECT name FROM items").__aiter__()
        assert (await rows.__anext__())["name"] == "a1"
    for use in (statement.fetch, cursor.fetchrow, rows.__anext__, transaction.commit):
        await after(use)
    await transaction.rollback()
    await pools.release(connection)


async def test_concurrent_scopes_on_few_connections_never_mix(dsns: tuple[str, str], mode: ModeName) -> None:
    async with create_tenant_pools(*dsns, min_size=1, max_size=3, mode=mode) as pools:

        async def use(number: int) -> None:
            org = "AB"[number % 2]
            with tenant_scope(org):
                async with pools.acquire() as connection:
                    await asyncio.sleep(0)
                    assert {row["org_id"] for row in await connection.fetch("SELECT org_id FROM items")} == {org}

        await asyncio.gather(*(use(number) for number in range(200)))
        stats = pools.stats().tenant
        assert stats.idle == stats.size
        assert (stats.resets_failed, stats.preludes_failed) == (0, 0)


@pytest.mark.parametrize("name", ["interlock_session", "_con", "_protocol", "_transport"])
async def test_no_attribute_leads_round_the_check(pools: TenantPools, name: str) -> None:
    with tenant_scope("A"):
        async with pools.acquire() as connection:
            with pytest.raises(AttributeError):
                getattr(connection, name)
            assert connection.get_server_pid() == await connection.fetchval("SELECT pg_backend_pid()")
            assert not connection.is_in_transaction()
