"""Tamper-evident pools: the scope travels with a signature, in every mode."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg
import pytest

from interlock.schema import migrate
from interlock.tenancy import TenantPools, create_tenant_pools, pre_org_resolution_scope, tenant_scope
from interlock.tenancy.modes import ModeName
from interlock.tenancy.seal import LIFETIME, Key, generate_key, rotate_scope_key
from interlock.testing.roles import Roles

if TYPE_CHECKING:
    from conftest import TenantDatabase

SECRET = generate_key()
NAMES = "SELECT name FROM items ORDER BY name"


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


async def test_a_write_for_another_org_is_refused(pools: TenantPools) -> None:
    with tenant_scope("A"), pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with pools.transaction() as connection:
            await connection.execute("INSERT INTO items VALUES ('B', 'planted')")


async def test_the_seal_is_in_no_statement_text(pools: TenantPools, sealed: TenantDatabase) -> None:
    superuser = await asyncpg.connect(sealed.superuser_dsn)
    with tenant_scope("A"):
        async with pools.transaction() as connection:
            seal = await connection.fetchval("SELECT current_setting('interlock.seal')")
            texts = await superuser.fetch("SELECT query FROM pg_stat_activity WHERE usename = 'interlock_app'")
            prepared = await connection.fetch("SELECT statement FROM pg_prepared_statements")
    await superuser.close()
    assert seal
    assert texts
    assert not [row for row in [*texts, *prepared] if seal in row[0]]


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
    seal = "SELECT current_setting('interlock.seal')"
    with tenant_scope("A"):
        async with pools.acquire() as connection:
            first = await connection.fetchval(seal)
            clock.now += LIFETIME
            with contextlib.suppress(asyncpg.DivisionByZeroError):
                async with connection.transaction():
                    assert await connection.fetchval(seal) != first
                    await connection.fetchval("SELECT 1 / 0")
            assert await connection.fetchval(seal) != first


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
