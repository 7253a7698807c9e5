"""What the tests of the approval store share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from asyncpg.transaction import Transaction

from interlock.dedup import ApprovalStore, Proposal, StoredProposal
from interlock.dedup import store_rows as rows
from interlock.tenancy import TenantPools, create_tenant_pools, current_org_id


@pytest.fixture
def pools_on(postgres_cluster, database_roles) -> Callable[..., AbstractAsyncContextManager[TenantPools]]:
    """Open pools on a database of the cluster, with options."""

    def opened(database: str, **options: Any) -> AbstractAsyncContextManager[TenantPools]:
        dsns = (postgres_cluster.dsn(role, database) for role in (database_roles.app, database_roles.admin))
        return create_tenant_pools(*dsns, **{"min_size": 1, "max_size": 8} | options)

    return opened


@pytest.fixture
async def pools(pools_on, database) -> AsyncIterator[TenantPools]:
    async with pools_on(database) as pools:
        yield pools


@pytest.fixture
def store(pools) -> ApprovalStore:
    return ApprovalStore(pools, lease=60, cooldown=None)


@pytest.fixture
def lapse(db) -> Callable[[Any], Awaitable[None]]:
    """Let the lease of a row be over."""

    async def lapsed(id: Any) -> None:
        await db.execute("UPDATE interlock.proposals SET lease_until = clock_timestamp() WHERE id = $1", id)

    return lapsed


@pytest.fixture
def executing() -> Callable[[ApprovalStore, Proposal], Awaitable[StoredProposal]]:
    """Propose, approve and claim."""

    async def execute(store: ApprovalStore, proposal: Proposal) -> StoredProposal:
        row = (await store.propose(proposal)).stored
        await store.approve(row.id, by="operator")
        (claimed,) = await store.claim("worker")
        assert claimed.id == row.id
        return claimed

    return execute


@pytest.fixture
def somebody_waits(db) -> Callable[[], Awaitable[None]]:
    """Return once a session waits for a lock."""

    async def wait() -> None:
        for _ in range(1000):
            if await db.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                return
            await asyncio.sleep(0.01)
        pytest.fail("nobody waits for a lock")

    return wait


@pytest.fixture
def rival(pools) -> Callable[[Proposal], AbstractAsyncContextManager[Transaction]]:
    """Propose in a transaction that is still open, to be ended by whoever asked for it."""

    @asynccontextmanager
    async def uncommitted(proposal: Proposal) -> AsyncIterator[Transaction]:
        arguments = (*rows.arguments_of(proposal, None, None), timedelta(seconds=60), None, 1)
        async with pools.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await connection.fetch(rows.Propose.ONE.value, current_org_id(), *arguments)
            yield transaction

    return uncommitted
