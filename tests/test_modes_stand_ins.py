"""What stands in for the statements that the pipelined mode and the driver know by name, and hides that it does."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from interlock.tenancy import TenantPools, create_tenant_pools, tenant_scope
from interlock.tenancy.pipelined import Pipelined

if TYPE_CHECKING:
    from conftest import TenantDatabase

SURROUNDINGS = "SELECT current_setting('app.current_org_id'), current_setting('search_path'), current_user::text"
REFUSALS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
# It is gone when hand_over() looks for statements prepared in SQL.
HIDES_ITSELF = """
CREATE FUNCTION pg_temp.hide() RETURNS void LANGUAGE plpgsql AS $$ BEGIN {does}; EXECUTE 'DEALLOCATE {name}'; END $$;
SET search_path = 'of_a';
DO $$ BEGIN EXECUTE 'DEALLOCATE {name}'; EXECUTE 'PREPARE {name} AS SELECT pg_temp.hide()'; END $$
"""
# Whoever wrote the row, the trigger runs at the COMMIT.
DEFERRED = """
CREATE TABLE late ();
GRANT INSERT ON late TO interlock_app;
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM set_config('app.current_org_id', 'A', false); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION late()
"""


@pytest.fixture
async def pools(tenant_database: TenantDatabase) -> AsyncIterator[TenantPools]:
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1, mode="pipelined") as pools:
        yield pools


def _rest(pools: TenantPools) -> None:
    """What the time would do."""
    assert pools._opened is not None
    mode = pools._opened.tenant.mode
    assert isinstance(mode, Pipelined)
    mode.flush()


async def _of_b(pools: TenantPools) -> tuple[Any, ...]:
    with tenant_scope("B"):
        return tuple(await pools.fetchrow(SURROUNDINGS))


@pytest.mark.parametrize("at_rest", [False, True])
@pytest.mark.parametrize("name", ["interlock_begin", "interlock_commit"])
@pytest.mark.parametrize("does", ["NULL", "SET LOCAL search_path = 'of_a'", "INSERT INTO public.late DEFAULT VALUES"])
async def test_one_that_drops_itself_when_it_runs(
    pools: TenantPools, tenant_database: TenantDatabase, does: str, name: str, at_rest: bool
) -> None:
    owner = await asyncpg.connect(tenant_database.owner_dsn)
    await owner.execute(DEFERRED)
    await owner.close()
    fresh = await _of_b(pools)
    with tenant_scope("A"):
        async with pools.acquire() as connection:
            # The application holds statements that the driver has not cached, as does a cache that has overflowed.
            held = [await connection.prepare("SELECT 1") for _ in range(2)]
            await connection.execute(HIDES_ITSELF.format(does=does, name=name))
    if at_rest:
        _rest(pools)
    # Told once, by closing the session.
    with contextlib.suppress(*REFUSALS):
        assert await _of_b(pools) == fresh
    assert await _of_b(pools) == fresh
    assert pools.stats().sessions_refused == 1
    del held


@pytest.mark.parametrize("name", ["interlock_begin", "interlock_x", "__asyncpg_stmt_1__"])
async def test_a_name_that_is_not_the_applications(pools: TenantPools, name: str) -> None:
    with tenant_scope("A"):
        async with pools.acquire() as connection:
            await connection.execute(
                f"DO $$ BEGIN IF EXISTS (SELECT FROM pg_prepared_statements WHERE name = '{name}') "
                f"THEN EXECUTE 'DEALLOCATE {name}'; END IF; END $$"
            )
            with pytest.raises(ValueError, match="name"):
                await connection.prepare("SELECT 1", name=name)
            assert await (await connection.prepare("SELECT 1", name="mine")).fetchval() == 1


async def test_a_reset_at_rest_does_not_wait_as_its_user_would_have(
    pools: TenantPools, tenant_database: TenantDatabase
) -> None:
    """A deferrable transaction waits for those that write: without a bound, were it the last user's default."""
    other = await asyncpg.connect(tenant_database.superuser_dsn)
    try:
        with tenant_scope("A"):
            async with pools.acquire() as connection:
                pid = await connection.fetchval("SELECT pg_backend_pid()")
                await connection.execute(
                    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE"
                )
                await other.execute("BEGIN ISOLATION LEVEL SERIALIZABLE; DELETE FROM items WHERE false")
        _rest(pools)
        with tenant_scope("B"):
            async with pools.acquire(timeout=2) as connection:
                assert await connection.fetchval("SELECT pg_backend_pid()", timeout=2) == pid
    finally:
        await other.close()
