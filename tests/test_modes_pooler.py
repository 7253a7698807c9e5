"""Behind a real PgBouncer in transaction pooling, where a session belongs to nobody."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from interlock.tenancy import (
    PoolerDetected,
    TenantPools,
    TransactionRequired,
    create_tenant_pools,
    pre_org_resolution_scope,
    tenant_scope,
)

ORG = "SELECT current_setting('app.current_org_id', true)"


async def test_auto_finds_the_pooler_and_carries_the_scope_in_transactions(pooler: tuple[str, str]) -> None:
    async with create_tenant_pools(*pooler, min_size=1, max_size=4) as pools:
        stats = pools.stats()
        assert stats.mode == "transaction"
        assert "pooler" in stats.mode_reason

        async def use(org: str) -> None:
            with tenant_scope(org):
                async with pools.transaction() as connection:
                    assert await connection.fetchval(ORG) == org
                    await asyncio.sleep(0.001)
                    assert {row["org_id"] for row in await connection.fetch("SELECT org_id FROM items")} <= {org}
                    async with connection.transaction():
                        assert await connection.fetchval(ORG) == org
                    assert await connection.fetchval(ORG) == org

        await asyncio.gather(*(use(org) for org in "ABABABABABABABAB"))
        with pre_org_resolution_scope("count"):
            async with pools.transaction() as connection:
                assert await connection.fetchval("SELECT count(*) FROM items") == 3


async def test_a_statement_outside_a_transaction_is_refused_before_it_is_sent(pooler: tuple[str, str]) -> None:
    async with create_tenant_pools(*pooler, min_size=0, max_size=1) as pools:
        with tenant_scope("A"):
            with pytest.raises(TransactionRequired, match="transaction"):
                await pools.fetch("SELECT 1")
            async with pools.acquire() as connection:
                for send in (
                    lambda: connection.execute("BEGIN"),
                    lambda: connection.fetch("SELECT 1"),
                    lambda: connection.prepare("SELECT 1"),
                ):
                    with pytest.raises(TransactionRequired):
                        await send()
                async with connection.transaction():
                    assert await connection.fetchval(ORG) == "A"
                with pytest.raises(TransactionRequired):
                    await connection.fetch("SELECT 1")


@pytest.mark.parametrize("mode", ["merged", "pipelined"])
async def test_an_explicit_session_mode_is_refused(pooler: tuple[str, str], mode: str) -> None:
    with pytest.raises(PoolerDetected, match="transaction"):
        await create_tenant_pools(*pooler, mode=mode)


async def test_what_one_leaves_in_the_pooled_session_does_not_reach_the_next(pooler: tuple[str, str]) -> None:
    async with create_tenant_pools(*pooler, min_size=0, max_size=1) as pools:
        with tenant_scope("A"):
            async with pools.transaction() as connection:
                await connection.execute("SELECT set_config('app.current_org_id', 'A', false)")
                await connection.execute("CREATE TEMP TABLE items AS SELECT 'A' AS org_id, 'trap' AS name")
        with tenant_scope("B"):
            async with pools.transaction() as connection:
                assert [tuple(row) for row in await connection.fetch("SELECT * FROM items")] == [("B", "b1")]


async def _write_and_fail(pools: TenantPools) -> None:
    async with pools.transaction() as connection:
        await connection.execute("INSERT INTO items VALUES ('A', 'gone')")
        await connection.fetchval("SELECT 1 / 0")


async def test_a_failed_transaction_leaves_nothing(pooler: tuple[str, str]) -> None:
    async with create_tenant_pools(*pooler, min_size=0, max_size=1) as pools:
        with tenant_scope("A"):
            with pytest.raises(asyncpg.DivisionByZeroError):
                await _write_and_fail(pools)
            async with pools.transaction() as connection:
                assert await connection.fetchval("SELECT count(*) FROM items") == 2
