"""Tamper-evident pools: the scope travels with a signature, in every mode."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from interlock.schema import migrate
from interlock.tenancy import (
    TenantConnection,
    TenantPools,
    create_tenant_pools,
    pre_org_resolution_scope,
    tenant_scope,
)
from interlock.tenancy.modes import ModeName
from interlock.tenancy.seal import LIFETIME, Key, generate_key, rotate_scope_key, seal
from interlock.testing.roles import Roles

if TYPE_CHECKING:
    from conftest import TenantDatabase

SECRET = generate_key()
NAMES = "SELECT name FROM items ORDER BY name"
SET_SEAL = "SELECT set_config('interlock.seal', $1, true)"


@pytest.fixture(params=["merged", "pipelined", "transaction"])
def mode(request: pytest.FixtureRequest) -> ModeName:
    chosen: ModeName = request.param
    return chosen


@pytest.fixture
async def sealed(tenant_database: TenantDatabase, database_roles: Roles) -> TenantDatabase:
    owner = await asyncpg.connect(tenant_database.owner_dsn)
    await migrate(owner, tenant_role=database_roles.app, admin_role=database_roles.admin)
    await rotate_scope_key(owner, Key(SECRET))
    await owner.execute("ALTER POLICY own_org ON items USING (org_id = (SELECT interlock.current_org()))")
    await owner.close()
    return tenant_database


@pytest.fixture
async def pools(sealed: TenantDatabase, mode: ModeName) -> AsyncIterator[TenantPools]:
    async with create_tenant_pools(
        *sealed.dsns, min_size=0, max_size=1, mode=mode, tamper_evident=Key(SECRET)
    ) as pools:
        yield pools


async def _names(pools: TenantPools, *, before: str = "") -> list[str]:
    async with pools.transaction() as connection:
        if before:
            await connection.execute(before)
        return [row["name"] for row in await connection.fetch(NAMES)]


async def test_each_scope_is_sealed_for_its_own_session(pools: TenantPools) -> None:
    for org, names in (("A", ["a1", "a2"]), ("B", ["b1"]), ("A", ["a1", "a2"])):
        with tenant_scope(org):
            assert await _names(pools) == names
    with pre_org_resolution_scope("all"):
        assert await _names(pools) == ["a1", "a2", "b1"]


async def test_an_injected_setting_is_refused_and_does_not_outlive_the_checkout(pools: TenantPools) -> None:
    with tenant_scope("A"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _names(pools, before="SET app.current_org_id = 'B'")
        assert await _names(pools) == ["a1", "a2"]


FORGED = {
    "the setting alone": ("SELECT set_config('app.current_org_id', 'B', true)", None),
    "no org": ("SELECT set_config('app.current_org_id', '', true)", None),
    "nothing": ("RESET interlock.seal", None),
    "NULL": ("SELECT set_config('interlock.seal', NULL, true)", None),
    "empty": (SET_SEAL, lambda now, pid: ""),
    "garbage": (SET_SEAL, lambda now, pid: "é.%s.\\'; DROP TABLE items"),
    "too many parts": (SET_SEAL, lambda now, pid: seal(Key(SECRET), pid, "A", now=now)[0] + ".x"),
    "an endless expiry": (SET_SEAL, lambda now, pid: f"{Key(SECRET).id}.{'9' * 99}.{'0' * 64}"),
    "expired": (SET_SEAL, lambda now, pid: seal(Key(SECRET), pid, "A", now=now - LIFETIME - 2)[0]),
    "of another process": (SET_SEAL, lambda now, pid: seal(Key(SECRET), pid + 1, "A", now=now)[0]),
    "of another org": (SET_SEAL, lambda now, pid: seal(Key(SECRET), pid, "B", now=now)[0]),
    "of another key": (SET_SEAL, lambda now, pid: seal(Key(generate_key()), pid, "A", now=now)[0]),
}


async def _in_a_savepoint(connection: TenantConnection, *statements: tuple[Any, ...]) -> None:
    async with connection.transaction():
        for statement in statements:
            await connection.execute(*statement)


async def test_a_forged_seal_opens_nothing(pools: TenantPools, sealed: TenantDatabase) -> None:
    now = (await _clock_of(sealed))()
    with tenant_scope("A"):
        async with pools.transaction() as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            for name, (statement, forge) in FORGED.items():
                for use in (NAMES, "INSERT INTO items VALUES ('B', 'planted')", "DELETE FROM items"):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError) as refused:
                        await _in_a_savepoint(connection, (statement, *([forge(now, pid)] if forge else [])), (use,))
                    assert SECRET not in str(refused.value), name
            assert [row["name"] for row in await connection.fetch(NAMES)] == ["a1", "a2"]


async def test_a_seal_carried_into_another_session_opens_nothing(sealed: TenantDatabase, mode: ModeName) -> None:
    async with create_tenant_pools(
        *sealed.dsns, min_size=0, max_size=2, mode=mode, tamper_evident=Key(SECRET)
    ) as pools:

        async def as_b(of_a: str) -> None:
            with tenant_scope("B"):
                async with pools.transaction() as connection:
                    await connection.execute("SELECT set_config('app.current_org_id', 'A', true)")
                    await connection.execute(SET_SEAL, of_a)
                    await connection.fetch(NAMES)

        with tenant_scope("A"):
            async with pools.transaction() as connection:
                of_a = await connection.fetchval("SELECT current_setting('interlock.seal')")
                with pytest.raises(asyncpg.InsufficientPrivilegeError) as refused:
                    await asyncio.create_task(as_b(of_a), context=contextvars.Context())
                assert of_a not in str(refused.value)
                assert [row["name"] for row in await connection.fetch(NAMES)] == ["a1", "a2"]
        with tenant_scope("B"):
            assert await _names(pools) == ["b1"]


async def test_a_join_that_is_planned_once_follows_the_org(pools: TenantPools, sealed: TenantDatabase) -> None:
    """The driver keeps the statement, and the server makes a generic plan of it after five executions."""
    owner = await asyncpg.connect(sealed.owner_dsn)
    await owner.execute(
        "CREATE TABLE tags AS SELECT org_id, 'tag of ' || name AS tag FROM (VALUES ('A', 'A'), ('B', 'B')) "
        "AS t(org_id, name); ALTER TABLE tags ENABLE ROW LEVEL SECURITY; ALTER TABLE tags FORCE ROW LEVEL SECURITY; "
        "CREATE POLICY own_org ON tags USING (org_id = (SELECT interlock.current_org())); "
        "GRANT SELECT ON tags TO interlock_app"
    )
    await owner.close()
    join = "SELECT i.name, t.tag FROM items AS i CROSS JOIN tags AS t WHERE i.name <> $1 ORDER BY i.name"
    found = {"A": [("a1", "tag of A"), ("a2", "tag of A")], "B": [("b1", "tag of B")]}
    for _ in range(10):
        for org, rows in found.items():
            with tenant_scope(org):
                async with pools.transaction() as connection:
                    assert [tuple(row) for row in await connection.fetch(join, "")] == rows


async def test_a_write_for_another_org_is_refused(pools: TenantPools) -> None:
    with tenant_scope("A"), pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with pools.transaction() as connection:
            await connection.execute("INSERT INTO items VALUES ('B', 'planted')")


async def test_the_seal_is_in_no_statement_text(pools: TenantPools, sealed: TenantDatabase) -> None:
    superuser = await asyncpg.connect(sealed.superuser_dsn)
    with tenant_scope("A"):
        async with pools.transaction() as connection:
            shown = await connection.fetchval("SELECT current_setting('interlock.seal')")
            texts = await superuser.fetch("SELECT query FROM pg_stat_activity WHERE usename = 'interlock_app'")
            prepared = await connection.fetch("SELECT statement FROM pg_prepared_statements")
    await superuser.close()
    assert shown
    assert texts
    assert not [row for row in [*texts, *prepared] if shown in row[0]]


class Clock:
    """Runs ahead of the database's clock, so that a seal is old for the pools while the database accepts it."""

    def __init__(self, start: float) -> None:
        self.now = start

    def __call__(self) -> float:
        return self.now


async def _clock_of(sealed: TenantDatabase) -> Clock:
    connection = await asyncpg.connect(sealed.superuser_dsn)
    now = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
    await connection.close()
    return Clock(now)


async def test_a_connection_that_is_held_renews_its_seal(pools: TenantPools, sealed: TenantDatabase) -> None:
    clock = await _clock_of(sealed)
    tenant = pools._opened.tenant
    tenant._sealer = replace(tenant._sealer, clock=clock)
    seals = []
    with tenant_scope("A"):
        async with pools.acquire() as connection, connection.transaction():
            for step in (0, LIFETIME // 2, LIFETIME // 2):
                clock.now += step
                seals.append(await connection.fetchval("SELECT current_setting('interlock.seal')"))
                assert [row["name"] for row in await connection.fetch(NAMES)] == ["a1", "a2"]
    assert seals[0] == seals[1]
    assert seals[1] != seals[2]


# In the transaction mode a seal ends with its transaction anyway.
@pytest.mark.parametrize("mode", ["merged", "pipelined"], indirect=True)
async def test_a_seal_renewed_in_a_transaction_that_rolls_back_is_renewed_again(
    pools: TenantPools, sealed: TenantDatabase
) -> None:
    clock = await _clock_of(sealed)
    tenant = pools._opened.tenant
    tenant._sealer = replace(tenant._sealer, clock=clock)
    current = "SELECT current_setting('interlock.seal')"
    with tenant_scope("A"):
        async with pools.acquire() as connection:
            first = await connection.fetchval(current)
            clock.now += LIFETIME
            with contextlib.suppress(asyncpg.DivisionByZeroError):
                async with connection.transaction():
                    assert await connection.fetchval(current) != first
                    await connection.fetchval("SELECT 1 / 0")
            assert await connection.fetchval(current) != first


async def test_both_keys_are_valid_during_a_rotation(pools: TenantPools, sealed: TenantDatabase) -> None:
    owner = await asyncpg.connect(sealed.owner_dsn)
    new = Key(generate_key())
    await rotate_scope_key(owner, new)
    with tenant_scope("A"):
        assert await _names(pools) == ["a1", "a2"]
        async with create_tenant_pools(*sealed.dsns, min_size=0, max_size=1, tamper_evident=new) as renewed:
            assert await _names(renewed) == ["a1", "a2"]
        await rotate_scope_key(owner, new, keep_previous=False)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _names(pools)
    await owner.close()


async def test_a_key_is_required(sealed: TenantDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INTERLOCK_SCOPE_KEY", raising=False)
    with pytest.raises(ValueError, match="INTERLOCK_SCOPE_KEY"):
        create_tenant_pools(*sealed.dsns, tamper_evident=True)
    monkeypatch.setenv("INTERLOCK_SCOPE_KEY", SECRET)
    async with create_tenant_pools(*sealed.dsns, min_size=0, max_size=1, tamper_evident=True) as pools:
        with tenant_scope("B"):
            assert await _names(pools) == ["b1"]


@pytest.mark.parametrize("mode", ["merged", "pipelined"])
async def test_a_checkout_that_is_released_while_its_seal_is_renewed_is_closed(
    sealed: TenantDatabase, mode: ModeName
) -> None:
    """What was to run behind the renewal would run in the next scope."""
    async with create_tenant_pools(
        *sealed.dsns, min_size=0, max_size=1, mode=mode, tamper_evident=Key(SECRET)
    ) as pools:
        with tenant_scope("A"):
            connection = await pools.acquire()
            await connection.fetch(NAMES)
            assert connection._checkout.seal is not None
            connection._checkout.seal._expires_at = 0
            late = asyncio.create_task(connection.fetch(NAMES))
            await asyncio.sleep(0)
            with pytest.raises(asyncpg.InterfaceError, match="in progress"):
                await pools.release(connection)
            with pytest.raises((asyncpg.InterfaceError, asyncpg.PostgresConnectionError)):
                await late
        with tenant_scope("B"):
            assert [row["name"] for row in await pools.fetch(NAMES)] == ["b1"]
