"""What a tenant leaves behind never reaches the next one: neither its rows nor, through a statement already on the
wire, its tables.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from interlock.errors import MigrationError, ModeUnavailable
from interlock.schema import migrate
from interlock.tenancy import TenantConnection, TenantPools, create_tenant_pools, tenant_scope
from interlock.tenancy.modes import ModeName

if TYPE_CHECKING:
    from conftest import TenantDatabase

ORG = "SELECT current_setting('app.current_org_id', true)"


@pytest.fixture(params=["merged", "pipelined"])
def mode(request: pytest.FixtureRequest) -> ModeName:
    chosen: ModeName = request.param
    return chosen


@pytest.fixture
async def superuser(tenant_database: TenantDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(tenant_database.superuser_dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def pools(tenant_database: TenantDatabase, mode: ModeName) -> AsyncIterator[TenantPools]:
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1, mode=mode) as pools:
        yield pools


FIRST_STATEMENTS: dict[str, Callable[[TenantConnection], Awaitable[Any]]] = {
    "extended insert": lambda c: c.execute("INSERT INTO items VALUES ($1, 'evil')", "A"),
    "simple insert": lambda c: c.execute("INSERT INTO items VALUES ('A', 'evil')"),
    "extended update": lambda c: c.execute("UPDATE items SET name = name || $1", "!"),
    "simple delete": lambda c: c.execute("DELETE FROM items"),
    "many": lambda c: c.executemany("UPDATE items SET name = $1", [("x",), ("y",)]),
    "select": lambda c: c.fetch("SELECT org_id FROM items"),
    "cached": lambda c: c.fetchval("SELECT count(*) FROM items WHERE name <> $1", ""),
}

REFUSALS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


async def _rows_of_a(superuser: asyncpg.Connection) -> list[str]:
    return [row["name"] for row in await superuser.fetch("SELECT name FROM items WHERE org_id = 'A' ORDER BY name")]


async def _first_statement_of_b(pools: TenantPools, statement: Callable[[TenantConnection], Awaitable[Any]]) -> Any:
    with tenant_scope("B"):
        async with pools.acquire() as connection:
            return await statement(connection)


async def _settles_on(pools: TenantPools, org: str) -> bool:
    with tenant_scope(org):
        for attempt in range(2):
            try:
                return bool(await pools.fetchval(ORG) == org)
            except REFUSALS:
                assert attempt == 0
    return False


async def _until(connection: asyncpg.Connection, condition: str, *args: object) -> None:
    """Wait for something that only the server can tell of."""
    for _ in range(500):
        if await connection.fetchval(condition, *args):
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"never true: {condition}")


@pytest.mark.parametrize("statement", FIRST_STATEMENTS)
@pytest.mark.parametrize("function", ["pg_terminate_backend", "pg_cancel_backend"])
async def test_a_reset_that_is_killed_or_blocked(
    pools: TenantPools, superuser: asyncpg.Connection, tenant_database: TenantDatabase, function: str, statement: str
) -> None:
    before = await _rows_of_a(superuser)
    accomplice = await asyncpg.connect(tenant_database.superuser_dsn)
    with tenant_scope("A"):
        async with pools.acquire() as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            await connection.execute("CREATE TEMP TABLE t AS SELECT 1")
            # DISCARD TEMP must wait for this lock.
            schema = await connection.fetchval("SELECT pg_my_temp_schema()::regnamespace::text")
            await accomplice.execute(f"BEGIN; LOCK TABLE {schema}.t IN ACCESS SHARE MODE")
    first = asyncio.create_task(_first_statement_of_b(pools, FIRST_STATEMENTS[statement]))
    await _until(superuser, "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)", pid)
    await superuser.fetchval(f"SELECT {function}($1)", pid)
    # A terminated backend drops its temporary tables before it closes the connection.
    await accomplice.close()
    with pytest.raises(REFUSALS):
        await first
    assert await _rows_of_a(superuser) == before
    assert await superuser.fetchval("SELECT count(*) FROM items WHERE name IN ('evil', 'x', 'y', 'b1!')") == 0
    assert await _settles_on(pools, "B")
    stats = pools.stats()
    assert stats.resets_failed + stats.preludes_failed == 1


@pytest.mark.parametrize("mode", ["pipelined"], indirect=True)
async def test_a_prelude_that_the_server_refuses(pools: TenantPools, superuser: asyncpg.Connection) -> None:
    """The session was reset as it should be; the right to enter has gone meanwhile."""
    assert await _settles_on(pools, "B")
    before = await superuser.fetch("TABLE items")
    await superuser.execute("REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA interlock_session FROM interlock_app, PUBLIC")
    for statement in FIRST_STATEMENTS.values():
        with pytest.raises((*REFUSALS, ModeUnavailable)):
            await _first_statement_of_b(pools, statement)
        assert await superuser.fetch("TABLE items") == before
    assert pools.stats().preludes_failed > 0
    await superuser.execute("GRANT EXECUTE ON ALL ROUTINES IN SCHEMA interlock_session TO interlock_app")
    assert await _settles_on(pools, "B")


async def test_a_failed_first_statement_leaves_the_scope_in_place(pools: TenantPools) -> None:
    with tenant_scope("A"):
        async with pools.acquire() as connection:
            with pytest.raises(asyncpg.DivisionByZeroError):
                await connection.fetchval("SELECT 1 / 0")
            assert await connection.fetchval(ORG) == "A"


async def test_the_reset_keeps_the_session_and_the_drivers_statements(
    pools: TenantPools, superuser: asyncpg.Connection, tenant_database: TenantDatabase
) -> None:
    await superuser.execute("CREATE ROLE guest; GRANT guest TO interlock_app")
    pids = set()
    try:
        for org in "ABAB":
            with tenant_scope(org):
                async with pools.acquire() as connection:
                    row = await connection.fetchrow(
                        "SELECT pg_backend_pid() AS pid, current_user::text AS role, "
                        "current_setting('search_path') AS path, current_setting('statement_timeout') AS timeout, "
                        "(SELECT count(*) FROM pg_listening_channels()) AS channels, "
                        "(SELECT count(*) FROM pg_cursors WHERE is_holdable) AS cursors"
                    )
                    pids.add(row["pid"])
                    assert tuple(row)[1:] == ("interlock_app", '"$user", public', "0", 0, 0)
                    for statement in (
                        "SET search_path = pg_catalog",
                        "SET statement_timeout = '10s'",
                        "LISTEN x",
                        "BEGIN",
                        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
                        "COMMIT",
                        "SET ROLE guest",
                    ):
                        await connection.execute(statement)
        assert len(pids) == 1
        assert pools.stats().resets_failed == 0
    finally:
        await pools.close()
        await superuser.execute("DROP ROLE guest")


async def test_a_session_with_a_statement_prepared_in_sql_is_closed_without_an_error(pools: TenantPools) -> None:
    with tenant_scope("A"):
        async with pools.acquire() as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            await connection.execute("PREPARE p AS SELECT 1")
    with tenant_scope("B"):
        assert await pools.fetchval("SELECT pg_backend_pid()") != pid
    stats = pools.stats()
    assert (stats.sessions_refused, stats.resets_failed, stats.preludes_failed) == (1, 0, 0)


async def test_an_idle_session_is_clean_within_a_second(pools: TenantPools, superuser: asyncpg.Connection) -> None:
    with tenant_scope("A"):
        async with pools.acquire() as connection:
            await connection.execute("SELECT pg_advisory_lock(7)")
            await connection.execute("LISTEN x")
    await _until(superuser, "SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'")
    assert await _settles_on(pools, "B")


async def test_the_org_is_in_no_statement_text(tenant_database: TenantDatabase, superuser: asyncpg.Connection) -> None:
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1, mode="pipelined") as pools:
        with tenant_scope("visible-org"):
            async with pools.acquire() as connection:
                assert await connection.fetchval(ORG) == "visible-org"
                texts = await superuser.fetch("SELECT query FROM pg_stat_activity WHERE usename = 'interlock_app'")
                prepared = await connection.fetch("SELECT statement FROM pg_prepared_statements")
        assert texts
        assert not [row for row in [*texts, *prepared] if "visible-org" in row[0]]


async def test_an_explicit_mode_that_cannot_work_raises_and_auto_falls_back(
    tenant_database: TenantDatabase, superuser: asyncpg.Connection
) -> None:
    await superuser.execute("REVOKE EXECUTE ON PROCEDURE interlock_session.hand_over FROM PUBLIC")
    with pytest.raises(ModeUnavailable, match="migrate"):
        await create_tenant_pools(*tenant_database.dsns, mode="pipelined")
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1) as pools:
        assert pools.stats().mode == "merged"
        assert "migrate" in pools.stats().mode_reason
        assert await _settles_on(pools, "A")


async def test_a_runtime_role_that_was_there_first_owns_nothing_that_the_pools_call(
    tenant_database: TenantDatabase, superuser: asyncpg.Connection
) -> None:
    """It may create schemas: then it could own the procedure that sets the scope, whoever replaces it later."""
    bodies = await superuser.fetch(
        "SELECT pg_get_functiondef(oid) AS text FROM pg_proc WHERE pronamespace = 'interlock_session'::regnamespace"
    )
    await superuser.execute("DROP SCHEMA interlock_session CASCADE")
    await superuser.execute(f'GRANT CREATE ON DATABASE "{tenant_database.name}" TO interlock_app')
    runtime = await asyncpg.connect(tenant_database.tenant_dsn)
    await runtime.execute("CREATE SCHEMA interlock_session; GRANT USAGE ON SCHEMA interlock_session TO PUBLIC")
    for body in bodies:
        await runtime.execute(body["text"])
    await runtime.close()
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1) as pools:
        assert pools.stats().mode == "merged"
    with pytest.raises(MigrationError, match="interlock_app"):
        await migrate(superuser, tenant_role="interlock_app", admin_role="interlock_admin")
    await superuser.execute("ALTER SCHEMA interlock_session OWNER TO interlock_owner")
    with pytest.raises(MigrationError, match="routine"):
        await migrate(superuser, tenant_role="interlock_app", admin_role="interlock_admin")


async def test_auto_is_pipelined_where_it_can_be(tenant_database: TenantDatabase) -> None:
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1) as pools:
        assert pools.stats().mode == "pipelined"
