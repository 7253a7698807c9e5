"""What a tenant leaves in a session, by any statement, against the first statement of the next tenant.

The next tenant's statement does what it would do in a fresh session; neither it nor what was left touches a row of
another tenant. What no reset undoes closes the session: at most one error tells of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import pytest

from interlock.tenancy import TenantConnection, TenantPools, TransactionRequired, create_tenant_pools, tenant_scope
from interlock.tenancy.pipelined import Pipelined

if TYPE_CHECKING:
    from conftest import TenantDatabase

# The last: the driver finds that a timeout for idle sessions has ended its own.
REFUSALS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, asyncpg.InternalClientError)
CACHED = "SELECT count(*) FROM items WHERE name <> $1"
ITS_NAME = f"SELECT name FROM pg_prepared_statements WHERE statement = '{CACHED}'"

Pools: TypeAlias = dict[str, TenantPools]  # of each tenant
Use = Callable[[TenantConnection], Awaitable[Any]]


BEHIND_A_POOLER = "behind a pooler"
AT_REST = "pipelined, at rest"


@pytest.fixture(
    params=[
        "merged",
        "pipelined",
        AT_REST,
        "transaction",
        pytest.param(BEHIND_A_POOLER, marks=pytest.mark.slow),
    ]
)
def way(request: pytest.FixtureRequest) -> str:
    """The mode, on one connection of one process for both tenants; or two processes whose pooler has one for both.

    At rest: nobody takes the connection for as long as a reset is put off.
    """
    chosen: str = request.param
    return chosen


@pytest.fixture
async def superuser(tenant_database: TenantDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(tenant_database.superuser_dsn)
    await connection.execute(
        "CREATE ROLE left_behind_guest; GRANT left_behind_guest TO interlock_app; "
        "GRANT SELECT, INSERT, UPDATE, DELETE ON items TO left_behind_guest; "
        "CREATE SEQUENCE numbers; GRANT ALL ON numbers TO interlock_app; "
        "CREATE FUNCTION timed() RETURNS int SET statement_timeout = '1ms' LANGUAGE sql AS 'SELECT 1'"
    )
    yield connection
    await connection.execute("DROP OWNED BY left_behind_guest; DROP ROLE left_behind_guest")
    await connection.close()


@pytest.fixture
async def pools(
    request: pytest.FixtureRequest, tenant_database: TenantDatabase, superuser: asyncpg.Connection, way: str
) -> AsyncIterator[Pools]:
    if way == BEHIND_A_POOLER:
        pooler = request.getfixturevalue("pooler")
        async with (
            create_tenant_pools(*pooler, min_size=0, max_size=1) as of_a,
            create_tenant_pools(*pooler, min_size=0, max_size=1) as of_b,
        ):
            assert of_a.stats().mode == "transaction"
            yield {"A": of_a, "B": of_b}
    else:
        mode: Any = way.partition(",")[0]
        async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1, mode=mode) as both:
            yield {"A": both, "B": both}


# --- what is left


def _statements(*statements: str) -> Use:
    async def leave(connection: TenantConnection) -> None:
        for statement in statements:
            # A failed statement, and the failed transaction around it, is one of the things left behind.
            with contextlib.suppress(asyncpg.PostgresError):
                await connection.execute(statement)

    return leave


def _with_the_cached_statement(statement: str, *, extended: bool = False) -> Use:
    """``statement`` with {name} replaced by the name of a statement that the driver has cached."""

    async def leave(connection: TenantConnection) -> None:
        await connection.fetchval(CACHED, "")
        text = statement.format(name=await connection.fetchval(ITS_NAME))
        await (connection.fetch if extended else connection.execute)(text)

    return leave


async def _stand_in_for_our_statements(connection: TenantConnection) -> None:
    for name in OURS:
        with contextlib.suppress(asyncpg.PostgresError):
            await connection.execute(f"DEALLOCATE {name}")
        with contextlib.suppress(asyncpg.PostgresError):
            await connection.execute(f"PREPARE {name} AS {AS_A}")


async def _stand_in_for_our_statements_in_a_block(connection: TenantConnection) -> None:
    for name in OURS:
        with contextlib.suppress(asyncpg.PostgresError):
            await connection.execute(IN_A_BLOCK.format(f"DEALLOCATE {name}"))
        with contextlib.suppress(asyncpg.PostgresError):
            await connection.execute(IN_A_BLOCK.format(f"PREPARE {name} AS {AS_A}".replace("'", "''")))


async def _copy_that_is_cancelled(connection: TenantConnection) -> None:
    await connection.execute("CREATE TEMP TABLE rows (row text)")

    async def endless() -> AsyncIterator[bytes]:
        yield b"1\n"
        await asyncio.Event().wait()

    copying = asyncio.create_task(connection.copy_to_table("rows", source=endless()))
    for _ in range(20):
        await asyncio.sleep(0)
    copying.cancel()
    await asyncio.gather(copying, return_exceptions=True)


OURS = ("interlock_begin", "interlock_commit")
AS_A = "SELECT set_config('app.current_org_id', 'A', false)"
STAND_IN = (
    "PREPARE \"{name}\"(text) AS SELECT count(set_config('app.current_org_id', 'A', false)) "
    "FROM items WHERE name <> $1"
)
IN_A_BLOCK = "DO $$ BEGIN EXECUTE '{}'; END $$"

LEFT_BEHIND: dict[str, Use] = {
    "nothing": _statements(),
    # scope
    "the setting": _statements("SET app.current_org_id = 'A'"),
    "set_config": _statements("SELECT set_config('app.current_org_id', 'A', false)"),
    "set_config, local": _statements("SELECT set_config('app.current_org_id', 'A', true)"),
    "SET LOCAL": _statements("SET LOCAL app.current_org_id = 'A'"),
    "no setting": _statements("RESET app.current_org_id"),
    "RESET ALL": _statements("RESET ALL"),
    "a nonce": _statements(
        "SELECT set_config('interlock.clean', '', false), set_config('interlock.seal', 'x', false)"
    ),
    # roles
    "SET ROLE": _statements("SET ROLE left_behind_guest"),
    "SET ROLE NONE": _statements("SET ROLE NONE"),
    "SET SESSION AUTHORIZATION": _statements(
        "SET SESSION AUTHORIZATION left_behind_guest", "SET SESSION AUTHORIZATION interlock_app"
    ),
    # statements
    "PREPARE": _statements("PREPARE p AS SELECT * FROM items"),
    "PREPARE in a block": _statements(IN_A_BLOCK.format("PREPARE p AS SELECT * FROM items")),
    "DEALLOCATE ALL": _statements("DEALLOCATE ALL"),
    "DEALLOCATE ALL in a block": _statements(IN_A_BLOCK.format("DEALLOCATE ALL")),
    "DEALLOCATE": _with_the_cached_statement('DEALLOCATE "{name}"'),
    "DEALLOCATE, extended": _with_the_cached_statement('DEALLOCATE "{name}"', extended=True),
    "DEALLOCATE in a block": _with_the_cached_statement(IN_A_BLOCK.format('DEALLOCATE "{name}"')),
    "a stand-in": _with_the_cached_statement('DEALLOCATE "{name}"; ' + STAND_IN),
    "a stand-in in a block": _with_the_cached_statement(
        IN_A_BLOCK.format('DEALLOCATE "{name}"') + "; " + IN_A_BLOCK.format(STAND_IN.replace("'", "''")),
    ),
    "stand-ins for our statements": _stand_in_for_our_statements,
    "stand-ins for our statements in a block": _stand_in_for_our_statements_in_a_block,
    "DISCARD ALL": _statements("DISCARD ALL"),
    "DISCARD PLANS": _statements("DISCARD PLANS"),
    "DISCARD TEMP": _statements("DISCARD TEMP"),
    # transactions
    "an open transaction": _statements("BEGIN", "UPDATE items SET name = name"),
    "an aborted transaction": _statements("BEGIN", "SAVEPOINT s", "SELECT 1 / 0"),
    "a read-only transaction": _statements("BEGIN READ ONLY", "TABLE items"),
    "locks": _statements("SELECT pg_advisory_lock(1), pg_advisory_lock_shared(2)", "BEGIN", "LOCK TABLE items"),
    "read-only": _statements("SET default_transaction_read_only = on"),
    "characteristics": _statements(
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE"
    ),
    # time
    "statement_timeout": _statements("SET statement_timeout = '1ms'"),
    "lock_timeout": _statements("SET lock_timeout = '1ms'"),
    "idle timeouts": _statements("SET idle_in_transaction_session_timeout = '1ms'"),
    "transaction_timeout": _statements("SET transaction_timeout = '1ms'"),
    # names
    "search_path": _statements("SET search_path = pg_temp", "CREATE TEMP TABLE items AS TABLE public.items"),
    "a temporary table": _statements("CREATE TEMP TABLE items AS TABLE public.items"),
    "a temporary view": _statements("CREATE TEMP VIEW items AS SELECT 'A' AS org_id, 'trap' AS name"),
    "temporary types": _statements(
        "CREATE FUNCTION pg_temp.trap(varchar) RETURNS bool LANGUAGE sql AS "
        "$$ SELECT set_config('app.current_org_id', 'A', false) <> '' $$",
        "CREATE DOMAIN pg_temp.text AS varchar CHECK (pg_temp.trap(VALUE))",
        "CREATE DOMAIN pg_temp.integer AS int CHECK (VALUE < 0)",
    ),
    "temporary functions": _statements(
        "CREATE FUNCTION pg_temp.set_config(text, text, bool) RETURNS text LANGUAGE sql AS $$ SELECT 'A' $$",
        "CREATE FUNCTION pg_temp.count(anyelement) RETURNS int LANGUAGE sql AS 'SELECT 7'",
        "SET search_path = pg_temp, pg_catalog, public",
    ),
    # how texts are read
    "client_encoding": _statements("SET client_encoding = 'LATIN1'"),
    "client_encoding of nobody": _statements("SET client_encoding = 'SQL_ASCII'"),
    "strings": _statements("SET standard_conforming_strings = off", "SET backslash_quote = on"),
    "dates": _statements(
        "SET DateStyle = 'SQL, DMY'", "SET IntervalStyle = 'sql_standard'", "SET TimeZone = 'Asia/Tokyo'"
    ),
    # the rest of a session
    "row_security": _statements("SET row_security = off"),
    "plans": _statements("SET plan_cache_mode = force_generic_plan", "SET plpgsql.extra_errors = 'all'"),
    "a function that sets": _statements("SELECT timed()"),
    "LISTEN": _statements("LISTEN x", "NOTIFY x"),
    "a cursor": _statements("BEGIN", "DECLARE c CURSOR WITH HOLD FOR TABLE items", "COMMIT"),
    "a sequence": _statements("SELECT nextval('numbers')"),
    "a large object": _statements("SELECT lo_from_bytea(0, 'a')"),
    "a library": _statements("LOAD 'pgoutput'", "SET session_preload_libraries = 'x'"),
    "an application_name": _statements("SET application_name = 'A'"),
    "COPY TO": _statements("COPY (SELECT 1) TO STDOUT"),
    "COPY that is cancelled": _copy_that_is_cancelled,
}

# What may close the session, or stop its reset, only when the next checkout, or behind a pooler the next transaction,
# is under way.
_PREPARED_IN_A_BLOCK = {"PREPARE in a block", "a stand-in in a block", "stand-ins for our statements in a block"}
TOLD: dict[str, set[str]] = {
    "merged": {"statement_timeout"},
    "pipelined": _PREPARED_IN_A_BLOCK
    | {"DEALLOCATE ALL in a block", "DEALLOCATE in a block", "statement_timeout", "transaction_timeout"},
    # The driver caches no statement there.
    "transaction": {"PREPARE", "PREPARE in a block"} | {"statement_timeout", "idle timeouts", "transaction_timeout"},
}
TOLD[BEHIND_A_POOLER] = TOLD["transaction"]
TOLD[AT_REST] = TOLD["pipelined"]


# --- what comes first


@dataclass(frozen=True)
class First:
    """A statement of org B, which owns the row 'b1', what it returns and which rows B has then."""

    run: Use
    returns: object
    rows: tuple[str, ...] = ("b1",)


async def _prepared(connection: TenantConnection) -> Any:
    statement = await connection.prepare("SELECT name FROM items")
    return [row["name"] for row in await statement.fetch()]


async def _names(connection: TenantConnection) -> Any:
    return [tuple(row) for row in await connection.fetch("SELECT org_id, name FROM items")]


async def _surroundings(connection: TenantConnection) -> Any:
    row = await connection.fetchrow(
        "SELECT current_user::text, current_setting('search_path'), current_setting('statement_timeout'), "
        "current_setting('app.current_org_id'), current_setting('standard_conforming_strings'), "
        "(SELECT count(*) FROM pg_cursors WHERE is_holdable), "
        "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), '1.2.2001'::date::text"
    )
    return tuple(row)


FIRST: dict[str, First] = {
    "extended insert": First(
        lambda c: c.execute("INSERT INTO items VALUES ($1, $2)", "B", r"né\'w"), "INSERT 0 1", ("b1", r"né\'w")
    ),
    "simple insert": First(
        lambda c: c.execute(r"INSERT INTO items VALUES ('B', 'né\w')"), "INSERT 0 1", ("b1", r"né\w")
    ),
    "foreign insert": First(
        lambda c: c.execute("INSERT INTO items VALUES ($1, 'evil')", "A"), asyncpg.InsufficientPrivilegeError
    ),
    "extended update": First(lambda c: c.execute("UPDATE items SET name = name || $1", "é"), "UPDATE 1", ("b1é",)),
    "simple update": First(lambda c: c.execute("UPDATE items SET name = name || 'é'"), "UPDATE 1", ("b1é",)),
    "extended delete": First(lambda c: c.execute("DELETE FROM items WHERE name <> $1", ""), "DELETE 1", ()),
    "simple delete": First(lambda c: c.execute("DELETE FROM items"), "DELETE 1", ()),
    "many": First(lambda c: c.executemany("UPDATE items SET name = $1", [("x",), ("é",)]), None, ("é",)),
    "select": First(_names, [("B", "b1")]),
    "cached": First(lambda c: c.fetchval(CACHED, ""), 1),
    "prepared": First(_prepared, ["b1"]),
    "surroundings": First(_surroundings, ("interlock_app", '"$user", public', "0", "B", "on", 0, 0, "2001-01-02")),
}


async def _in(pools: Pools, org: str, use: Use) -> Any:
    """Run ``use`` as the first of a checkout; where the scope is a transaction's, of a transaction."""
    own = pools[org]
    with tenant_scope(org):
        async with own.transaction() if own.stats().mode == "transaction" else own.acquire() as connection:
            return await use(connection)


async def _outcome(pools: Pools, use: Use) -> Any:
    try:
        return await _in(pools, "B", use)
    except REFUSALS as error:
        return type(error)


def _rest(pools: TenantPools) -> None:
    """What the time would do."""
    assert pools._opened is not None
    mode = pools._opened.tenant.mode
    assert isinstance(mode, Pipelined)
    mode.flush()


@pytest.mark.parametrize("first", FIRST)
async def test_the_next_tenant_finds_a_fresh_session(
    pools: Pools, superuser: asyncpg.Connection, way: str, first: str
) -> None:
    expected = FIRST[first]
    rows = "SELECT name FROM public.items WHERE org_id = $1 ORDER BY name"
    for left, leave in LEFT_BEHIND.items():
        await superuser.execute("DELETE FROM items WHERE org_id = 'B'; INSERT INTO items VALUES ('B', 'b1')")
        # One that was dropped in a block is missed when it is used.
        await _outcome(pools, FIRST["cached"].run)
        assert await _outcome(pools, FIRST["cached"].run) == FIRST["cached"].returns
        with contextlib.suppress(*REFUSALS, TransactionRequired):
            await _in(pools, "A", leave)
        if way == AT_REST:
            _rest(pools["A"])
        for _ in range(1 + (left in TOLD[way])):
            found = await _outcome(pools, expected.run)
            if found == expected.returns:
                break
        assert found == expected.returns, left
        assert [row["name"] for row in await superuser.fetch(rows, "A")] == ["a1", "a2"], left
        assert tuple(row["name"] for row in await superuser.fetch(rows, "B")) == expected.rows, left
