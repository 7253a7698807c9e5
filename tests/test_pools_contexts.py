"""Scopes and connections through everything that copies a context, or does not."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import random
import threading
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest

from interlock.tenancy import (
    BreakGlass,
    ScopeConflict,
    ScopeEnded,
    ScopeEscalation,
    TenantInvariantError,
    TenantPools,
    create_tenant_pools,
    current_scope,
    pre_org_resolution_scope,
    spawn_scoped,
    tenant_scope,
)

if TYPE_CHECKING:
    from conftest import TenantDatabase

ORG = "SELECT current_setting('app.current_org_id', true)"
COUNT = "SELECT count(*) FROM items"


@pytest.fixture(params=["merged", "pipelined"])
async def pools(request: pytest.FixtureRequest, tenant_database: TenantDatabase) -> AsyncIterator[TenantPools]:
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=2, mode=request.param) as pools:
        yield pools


async def test_who_may_acquire(pools: TenantPools) -> None:
    """A copy of a living scope's context may; whoever copied nothing, or comes too late, may not."""
    loop = asyncio.get_running_loop()
    told: dict[str, str] = {}

    def acquire() -> str:
        try:
            pools.acquire()
        except TenantInvariantError as error:
            return type(error).__name__
        return "ok"

    def tell(name: str) -> None:
        told[name] = acquire()

    with tenant_scope("A"):
        assert await asyncio.to_thread(acquire) == "ok"
        assert await loop.run_in_executor(None, acquire) == "ScopeMissing"
        thread = threading.Thread(target=tell, args=("thread",))
        thread.start()
        thread.join()
        copied = contextvars.copy_context()
        loop.call_soon(tell, "call_soon")
        late = loop.create_future()
        late.add_done_callback(lambda _: tell("callback"))
        task = asyncio.create_task(asyncio.sleep(0))
        spawned = spawn_scoped(_ask(pools, ORG))
        task.add_done_callback(lambda _: tell("callback of a task"))
    late.set_result(None)
    await task
    await asyncio.sleep(0)
    assert await spawned == "A"
    assert copied.run(acquire) == "ScopeEnded"
    ended = ("call_soon", "callback", "callback of a task")
    assert told == {"thread": "ScopeMissing", **dict.fromkeys(ended, "ScopeEnded")}


async def _ask(pools: TenantPools, query: str) -> Any:
    return await pools.fetchval(query)


async def test_children_share_the_scope_or_open_their_own(pools: TenantPools) -> None:
    async def of(org: str) -> Any:
        with tenant_scope(org):
            return await pools.fetchval(ORG)

    assert await asyncio.gather(of("A"), of("B"), of("A")) == ["A", "B", "A"]
    assert await asyncio.wait_for(of("B"), 60) == "B"
    assert current_scope() is None
    with pre_org_resolution_scope("a daemon's tick"):
        assert await asyncio.gather(of("A"), of("B"), _ask(pools, COUNT)) == ["A", "B", 3]
        with pytest.raises(asyncpg.DivisionByZeroError), tenant_scope("B"):
            await pools.fetchval("SELECT 1 / $1::int", int(await pools.fetchval(ORG) != "B"))
        assert await pools.fetchval(COUNT) == 3
    with tenant_scope("A"):
        assert await asyncio.gather(of("A"), _ask(pools, ORG)) == ["A", "A"]
        with pytest.raises(ScopeConflict):
            await asyncio.create_task(of("B"))
        assert await pools.fetchval(ORG) == "A"


async def test_the_admin_role_is_reached_from_no_tenant(pools: TenantPools) -> None:
    glass = BreakGlass("support")

    async def everything() -> Any:
        with pre_org_resolution_scope("all of it"):
            return await pools.fetchval(COUNT)

    with tenant_scope("A"):
        for attempt in (everything(), asyncio.create_task(everything()), asyncio.wait_for(everything(), 60)):
            with pytest.raises(ScopeEscalation):
                await attempt
        with pytest.raises(ScopeEscalation):
            await asyncio.to_thread(lambda: pre_org_resolution_scope("from a thread").__enter__())
        with pre_org_resolution_scope("an incident", capability=glass):
            assert await pools.fetchval(COUNT) == 3
        assert await pools.fetchval(COUNT) == 2


async def test_a_connection_of_another_frame_of_the_same_org(pools: TenantPools) -> None:
    org = UUID("12345678-1234-5678-1234-567812345678")
    with tenant_scope(org):
        async with pools.acquire() as connection:
            with tenant_scope(str(org).upper()):
                assert await connection.fetchval(ORG) == str(org)
                inner = await pools.acquire()
            with pytest.raises(ScopeEnded):
                await inner.fetchval(ORG)
            await pools.release(inner)
            assert await asyncio.create_task(connection.fetchval(ORG)) == str(org)
    with pre_org_resolution_scope("outer"):
        async with pools.acquire() as connection:
            with pre_org_resolution_scope("inner"), pytest.raises(ScopeConflict):
                await connection.fetchval(COUNT)


async def test_rows_that_an_async_generator_yields(pools: TenantPools) -> None:
    async def names() -> AsyncIterator[str]:
        async with pools.acquire() as connection, connection.transaction():
            async for row in connection.cursor("SELECT name FROM items ORDER BY name"):
                yield row["name"]

    with tenant_scope("A"):
        unfinished = names()
        assert await anext(unfinished) == "a1"
    with pytest.raises(ScopeEnded):
        await anext(unfinished)
    with tenant_scope("B"):
        assert [name async for name in names()] == ["b1"]
        forgotten = names()
        assert await anext(forgotten) == "b1"
        del forgotten
        gc.collect()
    with tenant_scope("A"):
        async with asyncio.timeout(60), pools.acquire() as one, pools.acquire() as other:
            assert await one.fetchval(ORG) == await other.fetchval(ORG) == "A"


async def test_many_tasks_of_many_orgs_some_of_them_cancelled(pools: TenantPools) -> None:
    chance = random.Random(31)
    seen = []

    async def work(org: str) -> None:
        with tenant_scope(org):
            async with pools.acquire() as connection:
                await asyncio.sleep(chance.random() / 100)
                seen.append((org, await connection.fetchval(ORG)))
                seen.append(
                    (org, await connection.fetchval("SELECT min(org_id) || max(org_id) FROM items") or 2 * org)
                )

    async def cancel(task: asyncio.Task[None]) -> None:
        for _ in range(chance.randrange(40)):
            await asyncio.sleep(0)
        task.cancel()

    orgs = ["A", "B", *(f"org-{number}" for number in range(18))]
    tasks = [asyncio.create_task(work(chance.choice(orgs))) for _ in range(200)]
    cancels = [asyncio.create_task(cancel(task)) for task in chance.sample(tasks, 40)]
    done = await asyncio.gather(*tasks, *cancels, return_exceptions=True)
    # A session whose reset a cancellation has hit may tell of itself once.
    assert {type(end) for end in done} <= {type(None), asyncio.CancelledError, asyncpg.ConnectionDoesNotExistError}
    assert seen
    assert all(found in (org, 2 * org) for org, found in seen)
    stats = pools.stats().tenant
    assert stats.idle == stats.size
    with tenant_scope("A"):
        for _ in range(3):
            with contextlib.suppress(asyncpg.ConnectionDoesNotExistError):
                async with asyncio.timeout(60), pools.acquire() as one, pools.acquire() as other:
                    assert await one.fetchval(ORG) == await other.fetchval(ORG) == "A"
                    return
    pytest.fail("a slot is lost")
