"""A session goes from one checkout to the next that waits, and no turn at the pool is ever lost or given twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from interlock.tenancy import PoolExhausted, TenantPools, create_tenant_pools, tenant_scope
from interlock.tenancy.connection import TenantConnection
from interlock.tenancy.modes import ModeName

if TYPE_CHECKING:
    from conftest import TenantDatabase

ORG = "SELECT current_setting('app.current_org_id', true)"
FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)

pytestmark = pytest.mark.parametrize("mode", ["merged", "pipelined"])


@pytest.fixture
async def pools(tenant_database: TenantDatabase, mode: ModeName) -> AsyncIterator[TenantPools]:
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1, mode=mode) as pools:
        yield pools


def _uses(pools: TenantPools) -> list[Any]:
    """What asyncpg's pool makes anew whenever it lends a session."""
    assert pools._opened is not None
    return [holder._in_use for holder in pools._opened.tenant._pool._holders]


async def _uses_after_the_rest(pools: TenantPools) -> list[Any]:
    assert pools._opened is not None
    await pools._opened.tenant._resting.end()
    return _uses(pools)


async def _take(pools: TenantPools, org: str) -> TenantConnection:
    with tenant_scope(org):
        return await pools.acquire()


async def _org_of(connection: TenantConnection) -> Any:
    """The scope of a checkout whose block is left."""
    return await connection._checkout.session.connection.fetchval(ORG)


async def _turn_of_the_loop(times: int = 3) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def _org_of_next(pools: TenantPools, org: str) -> Any:
    with tenant_scope(org):
        async with pools.acquire(timeout=5) as connection:
            return await connection.fetchval(ORG)


async def test_they_are_served_in_the_order_they_came_in(pools: TenantPools) -> None:
    served: list[str] = []

    async def ask(org: str) -> None:
        with tenant_scope(org):
            async with pools.acquire() as connection:
                served.append(org)
                assert await connection.fetchval(ORG) == org

    first = await _take(pools, "first")
    tasks = []
    for number in range(6):
        tasks.append(asyncio.create_task(ask(f"org-{number}")))
        await _turn_of_the_loop()
    await pools.release(first)
    await asyncio.gather(*tasks[:3])
    # A new one does not overtake.
    await asyncio.gather(*tasks, ask("late"))
    assert served == [*(f"org-{number}" for number in range(6)), "late"]
    assert await _uses_after_the_rest(pools) == [None]


async def test_a_session_that_somebody_waits_for_does_not_pass_through_the_pool(pools: TenantPools) -> None:
    first = await _take(pools, "A")
    lent = _uses(pools)
    waiting = asyncio.create_task(_take(pools, "B"))
    await _turn_of_the_loop()
    await pools.release(first)
    second = await waiting
    assert _uses(pools) == lent != [None]
    assert await _org_of(second) == "B"
    with tenant_scope("A"), pytest.raises(asyncpg.InterfaceError, match="released"):
        await first.fetchval(ORG)
    await pools.release(second)
    assert await _uses_after_the_rest(pools) == [None]


async def test_a_session_that_ends_on_its_way_is_replaced(pools: TenantPools) -> None:
    first = await _take(pools, "A")
    waiting = asyncio.create_task(_org_of_next(pools, "B"))
    await _turn_of_the_loop()
    connection = first._checkout.session.connection
    await pools.release(first)
    connection.terminate()
    assert await waiting == "B"


async def test_a_session_that_is_expired_on_its_way_is_replaced(pools: TenantPools) -> None:
    first = await _take(pools, "A")
    pid = first._checkout.session.pid
    waiting = asyncio.create_task(_take(pools, "B"))
    await _turn_of_the_loop()
    await pools.release(first)
    await pools.expire_connections()
    second = await waiting
    assert second._checkout.session.pid != pid
    await pools.release(second)
    assert await _org_of_next(pools, "C") == "C"


async def test_a_release_of_a_session_that_has_ended_under_an_operation_ends_the_turn(pools: TenantPools) -> None:
    with tenant_scope("A"):
        connection = await pools.acquire()
        asleep = asyncio.create_task(connection.execute("SELECT pg_sleep(60)"))
        await _turn_of_the_loop()
        connection.terminate()
        with pytest.raises(asyncpg.InterfaceError, match="in progress"):
            await pools.release(connection)
    with pytest.raises(FAILURES):
        await asleep
    assert await _org_of_next(pools, "B") == "B"


async def test_a_session_that_a_setup_ends_has_no_turn(tenant_database: TenantDatabase, mode: ModeName) -> None:
    async def end(connection: asyncpg.Connection) -> None:
        connection.terminate()
        await _turn_of_the_loop()

    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1, mode=mode, setup=end) as pools:
        first = await _take(pools, "A")
        second = await asyncio.wait_for(_take(pools, "B"), 10)
        for connection in (first, second):
            await pools.release(connection)


@pytest.mark.parametrize("others", [0, 1, 2])
async def test_one_that_is_cancelled_as_its_turn_comes_gives_it_on(pools: TenantPools, others: int) -> None:
    first = await _take(pools, "A")
    waiting = [asyncio.create_task(_org_of_next(pools, f"org-{number}")) for number in range(1 + others)]
    await _turn_of_the_loop()
    await pools.release(first)
    waiting[0].cancel()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [f"org-{number}" for number in range(1, 1 + others)]
    assert await _uses_after_the_rest(pools) == [None]
    assert await _org_of_next(pools, "A") == "A"


async def test_one_that_was_cancelled_before_is_passed_over(pools: TenantPools) -> None:
    first = await _take(pools, "A")
    waiting = [asyncio.create_task(_org_of_next(pools, f"org-{number}")) for number in range(3)]
    await _turn_of_the_loop()
    waiting[1].cancel()
    await _turn_of_the_loop()
    await pools.release(first)
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [answers[0], answers[2]] == ["org-0", "org-2"]


async def test_the_time_runs_out_for_one_that_waits(pools: TenantPools) -> None:
    first = await _take(pools, "A")
    with tenant_scope("B"), pytest.raises(PoolExhausted):
        await pools.acquire(timeout=0)
    await pools.release(first)
    assert await _org_of_next(pools, "B") == "B"


@pytest.mark.parametrize("how", ["closed", "terminated", "ended by the server"])
async def test_a_session_that_ends_in_a_checkout_that_does_not_ends_its_turn(pools: TenantPools, how: str) -> None:
    first = await _take(pools, "A")
    waiting = asyncio.create_task(_org_of_next(pools, "B"))
    await _turn_of_the_loop()
    if how == "closed":
        await first.close()
    elif how == "terminated":
        first.terminate()
    else:
        with suppress(*FAILURES):
            await first._checkout.session.connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert await waiting == "B"
    await pools.release(first)
    assert await _org_of_next(pools, "C") == "C"
    assert pools._opened is not None
    assert pools._opened.tenant._turns._taken == 0


@pytest.mark.parametrize("way", ["an open transaction", "a listener", "a codec", "a new generation", "max_queries"])
@pytest.mark.filterwarnings("ignore:.*active")
async def test_what_the_pool_must_see_passes_through_it(
    tenant_database: TenantDatabase, mode: ModeName, way: str
) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # asyncpg's, of the open transaction
    options = {"max_queries": 1} if way == "max_queries" else {}
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1, mode=mode, **options) as pools:
        with tenant_scope("A"):
            first = await pools.acquire()
            pid = await first.fetchval("SELECT pg_backend_pid()")
            if way == "an open transaction":
                await first.transaction().start()
            elif way == "a listener":
                await first.add_listener("channel", print)
            elif way == "a codec":
                await first.set_type_codec("json", encoder=str, decoder=str, schema="pg_catalog")
        waiting = asyncio.create_task(_take(pools, "B"))
        await _turn_of_the_loop()
        lent = _uses(pools)
        if way == "a new generation":
            await pools.expire_connections()
        await pools.release(first)
        second = await waiting
        assert _uses(pools) != lent
        assert await _org_of(second) == "B"
        same = second._checkout.session.pid == pid
        assert same == (way in ("an open transaction", "a listener"))
        await pools.release(second)


async def test_pools_that_close_serve_those_who_wait_and_nobody_else(
    tenant_database: TenantDatabase, mode: ModeName
) -> None:
    pools = await create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1, mode=mode)
    first = await _take(pools, "A")
    waiting = asyncio.create_task(_org_of_next(pools, "B"))
    await _turn_of_the_loop()
    closing = asyncio.create_task(pools.close())
    await _turn_of_the_loop()
    with pytest.raises(asyncpg.InterfaceError, match="clos"):
        await _take(pools, "C")
    await pools.release(first)
    assert await waiting == "B"
    await closing


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.filterwarnings("ignore:.*active")
async def test_no_turn_is_lost_or_given_twice(tenant_database: TenantDatabase, mode: ModeName, seed: int) -> None:
    """Whatever checkouts do with their sessions, and whenever they are cancelled."""
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # asyncpg's, of open transactions
    chance = random.Random(seed)
    most = 1 + seed % 2
    lent: set[TenantConnection] = set()
    asleep: list[asyncio.Task[str]] = []

    async def use(pools: TenantPools, org: str) -> None:
        with tenant_scope(org):
            async with pools.acquire() as connection:
                lent.add(connection)
                try:
                    assert len(lent) <= most
                    what = chance.randrange(9)
                    if what == 0:
                        await connection.transaction().start()
                    elif what == 1:
                        connection.terminate()
                    elif what == 2:
                        await pools.expire_connections()
                    elif what == 3:
                        asleep.append(asyncio.create_task(connection.execute("SELECT pg_sleep(60)")))
                        await _turn_of_the_loop(chance.randrange(4))
                        if chance.random() < 0.5:
                            connection.terminate()
                    elif what > 4:
                        assert await connection.fetchval(ORG) == org
                finally:
                    lent.discard(connection)

    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=most, mode=mode) as pools:
        tasks: list[asyncio.Task[None]] = []
        for number in range(60):
            tasks.append(asyncio.create_task(use(pools, f"org-{number}")))
            if chance.random() < 0.5:
                await _turn_of_the_loop(chance.randrange(6))
            if chance.random() < 0.3:
                chance.choice(tasks).cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*asleep, return_exceptions=True)
        unforeseen = [found for found in outcomes if isinstance(found, BaseException)]
        assert all(isinstance(error, (*FAILURES, asyncio.CancelledError)) for error in unforeseen), unforeseen
        assert pools._opened is not None
        assert pools._opened.tenant._turns._taken == 0
        again = [asyncio.create_task(_take(pools, f"last-{number}")) for number in range(most)]
        for connection in await asyncio.wait_for(asyncio.gather(*again), 10):
            await pools.release(connection)
