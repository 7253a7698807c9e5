"""What a checkout may leave on the client's side, in the hands of whoever had it, against the next checkout."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from interlock.errors import TenantInvariantError
from interlock.tenancy import TenantConnection, TenantPools, create_tenant_pools, tenant_scope

if TYPE_CHECKING:
    from conftest import TenantDatabase

ORG = "SELECT current_setting('app.current_org_id', true)"
PID = "SELECT pg_backend_pid()"
REFUSED = (asyncpg.InterfaceError, TenantInvariantError)


@pytest.fixture(params=["merged", "pipelined"])
async def pools(request: pytest.FixtureRequest, tenant_database: TenantDatabase) -> AsyncIterator[TenantPools]:
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1, mode=request.param) as pools:
        yield pools


async def test_callbacks_last_as_long_as_the_checkout(pools: TenantPools) -> None:
    """asyncpg leaves the last two to whoever comes next, with the texts and arguments of all queries."""
    queries: list[str] = []
    ends: list[object] = []

    async def log(record: Any) -> None:
        queries.append(record.query)

    with tenant_scope("A"):
        async with pools.acquire() as connection:
            pid = await connection.fetchval(PID)
            connection.add_termination_listener(ends.append)
            connection.add_query_logger(log)
            await connection.fetchval("SELECT 'of A'")
            with connection.query_logger(lambda record: queries.append(f"also {record.query}")):
                await connection.fetchval("SELECT 2")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
    assert sorted(queries) == ["SELECT 'of A'", "SELECT 2", "also SELECT 2"]
    with tenant_scope("B"):
        async with pools.acquire() as connection:
            assert await connection.fetchval(PID) == pid
            await connection.fetchval("SELECT 'of B'")
            connection.terminate()
    await asyncio.sleep(0)
    assert len(queries) == 3
    assert ends == []


async def test_a_codec_is_the_checkouts_own(pools: TenantPools) -> None:
    with tenant_scope("A"):
        async with pools.acquire() as connection:
            await connection.set_type_codec(
                "text", schema="pg_catalog", encoder=str, decoder=lambda _: "of A", format="text"
            )
            assert await connection.fetchval("SELECT 'x'::text") == "of A"
    with tenant_scope("B"):
        assert await pools.fetchval("SELECT 'x'::text") == "x"
    assert pools.stats().sessions_refused == 1


async def test_what_was_kept_of_a_checkout_reaches_no_later_one(pools: TenantPools) -> None:
    with tenant_scope("A"):
        async with pools.acquire() as connection:
            statement = await connection.prepare("SELECT name FROM items")
            transaction = connection.transaction()
            await transaction.start()
            cursor = await connection.cursor("SELECT name FROM items")
            rows = connection.cursor("SELECT name FROM items").__aiter__()
            await rows.__anext__()
            await transaction.rollback()
    uses: list[Callable[[], Awaitable[object]]] = [
        statement.fetch,
        statement.fetchval,
        lambda: cursor.fetch(1),
        cursor.fetchrow,
        rows.__anext__,
        transaction.commit,
        transaction.rollback,
        lambda: connection.fetch("SELECT 1"),
        lambda: connection.reset(),
    ]
    with tenant_scope("B"):
        async with pools.transaction() as current:
            for use in uses:
                with pytest.raises(REFUSED):
                    await use()
            failure = LookupError("of A's block")
            await transaction.__aexit__(LookupError, failure, None)
            assert isinstance(failure.__context__, asyncpg.InterfaceError)
            assert current.is_in_transaction()
            await current.execute("INSERT INTO items VALUES ('B', 'b2')")
        assert await pools.fetchval("SELECT count(*) FROM items") == 2


async def test_a_release_in_the_scope_of_another_tenant(pools: TenantPools) -> None:
    with tenant_scope("A"):
        connection = await pools.acquire()
        pid = await connection.fetchval(PID)
    with tenant_scope("B"):
        with pytest.raises(REFUSED):
            await connection.fetch("SELECT 1")
        await pools.release(connection)
        async with pools.acquire() as own:
            assert (await own.fetchval(ORG), await own.fetchval(PID)) == ("B", pid)


async def test_a_connection_of_other_pools_is_not_taken_back(
    tenant_database: TenantDatabase, pools: TenantPools
) -> None:
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1) as others:
        with tenant_scope("A"):
            async with pools.acquire() as connection:
                for stranger in (connection, object()):
                    with pytest.raises(asyncpg.InterfaceError, match="not acquired from these pools"):
                        await others.release(stranger)  # type: ignore[arg-type]
                assert await connection.fetchval(ORG) == "A"


async def _reset_and_ask(connection: TenantConnection) -> object:
    await connection.reset()
    return await connection.fetchval(ORG)


async def test_a_reset_inside_a_checkout_enters_the_scope_again(pools: TenantPools) -> None:
    with tenant_scope("A"):
        async with pools.acquire() as connection:
            pid = await connection.fetchval(PID)
            await connection.execute("SET work_mem = '1MB'; CREATE TEMP TABLE items AS SELECT 'trap' AS name")
            await connection.reset()
            assert await connection.fetchval("SHOW work_mem") == "4MB"
            assert await connection.fetchval("SELECT count(*) FROM items") == 2
            await connection.execute("BEGIN; SET app.current_org_id = 'B'")
            await connection.reset()
            assert not connection.is_in_transaction()
            assert (await connection.fetchval(ORG), await connection.fetchval(PID)) == ("A", pid)
            await connection.execute("PREPARE p AS SELECT 1")
            with pytest.raises((asyncpg.InterfaceError, asyncpg.PostgresConnectionError)):
                await _reset_and_ask(connection)
    with tenant_scope("B"):
        assert await pools.fetchval(ORG) == "B"


@pytest.mark.parametrize("end", ["close", "terminate"])
async def test_a_connection_closed_by_its_user_frees_its_slot(pools: TenantPools, end: str) -> None:
    with tenant_scope("A"):
        async with pools.acquire() as connection:
            await connection.fetchval("SELECT 1")
            if (closing := getattr(connection, end)()) is not None:
                await closing
    with tenant_scope("B"):
        assert await pools.fetchval(ORG, timeout=30) == "B"
    stats = pools.stats().tenant
    assert (stats.size, stats.idle) == (1, 1)


async def test_two_statements_at_once_on_one_connection(pools: TenantPools) -> None:
    with tenant_scope("A"):
        async with pools.acquire() as connection:
            first, second = await asyncio.gather(
                connection.fetchval(ORG), connection.fetchval(ORG), return_exceptions=True
            )
            assert first == "A"
            assert isinstance(second, asyncpg.InterfaceError)
            assert await connection.fetchval(ORG) == "A"


def test_everything_of_the_driver_that_sends_is_checked() -> None:
    sends = {
        name
        for name in dir(asyncpg.Connection)
        if not name.startswith("_") and asyncio.iscoroutinefunction(getattr(asyncpg.Connection, name))
    }
    # What the class itself does not have goes past the check. Closing is anybody's right.
    assert {name for name in sends if name not in vars(TenantConnection)} == {"close"}
