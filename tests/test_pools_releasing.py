"""A release waits only where there is something to wait for, and nothing stops it half-way."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from interlock.tenancy import TenantPools, create_tenant_pools, releasing, tenant_scope
from interlock.tenancy.modes import ModeName
from interlock.tenancy.pipelined import MOST_AHEAD, Pipelined
from interlock.tenancy.releasing import give_back

if TYPE_CHECKING:
    from conftest import TenantDatabase

ORG = "SELECT current_setting('app.current_org_id', true)"


@pytest.fixture
async def pools(tenant_database: TenantDatabase, mode: ModeName) -> AsyncIterator[TenantPools]:
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1, mode=mode) as pools:
        yield pools
    assert pools.stats().tenant.idle == pools.stats().tenant.size


modes = pytest.mark.parametrize("mode", ["merged", "pipelined", "transaction"])
pipelined = pytest.mark.parametrize("mode", ["pipelined"])


@pipelined
async def test_it_takes_no_turn_of_the_loop(pools: TenantPools) -> None:
    with tenant_scope("A"):
        connection = await pools.acquire()
        assert await connection.fetchval(ORG) == "A"
        releasing = pools.release(connection)
        with pytest.raises(StopIteration):
            releasing.send(None)
    assert pools.stats().tenant.idle == 1


@pipelined
async def test_checkouts_that_send_nothing_and_let_nothing_else_run(pools: TenantPools) -> None:
    """As many as a service makes before the loop turns: more than the stream keeps account of."""
    for number in range(20 * MOST_AHEAD):
        with tenant_scope(f"org-{number}"):
            async with pools.acquire():
                pass
    with tenant_scope("A"):
        assert await pools.fetchval(ORG) == "A"
    stats = pools.stats()
    assert (stats.resets_failed, stats.preludes_failed, stats.sessions_refused) == (0, 0, 0)
    assert stats.tenant.size == 1


@pipelined
async def test_what_was_written_before_its_time_is_not_written_into_a_session_that_closes(pools: TenantPools) -> None:
    with tenant_scope("A"):
        assert await pools.fetchval(ORG) == "A"
    assert pools._opened is not None
    mode = pools._opened.tenant.mode
    assert isinstance(mode, Pipelined)
    timer = mode._flushing
    assert timer is not None
    mode.flush()
    assert timer.cancelled()


@modes
@pytest.mark.parametrize("turns", range(1, 6))
@pytest.mark.filterwarnings("ignore:.*active transaction")
async def test_one_that_waits_for_a_rollback_goes_on_when_its_caller_is_cancelled(
    pools: TenantPools, turns: int
) -> None:
    reports: list[object] = []  # asyncpg's, of the transaction that nobody ended
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context["message"]))
    with tenant_scope("A"):
        connection = await pools.acquire()
        transaction = connection.transaction()
        await transaction.start()
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        releasing = asyncio.create_task(pools.release(connection))
    for _ in range(turns):
        await asyncio.sleep(0)
    releasing.cancel()
    await asyncio.gather(releasing, return_exceptions=True)
    with tenant_scope("B"):
        async with pools.transaction() as connection:
            assert await connection.fetchrow(f"SELECT pg_backend_pid(), ({ORG})") == (pid, "B")
    assert pools.stats().resets_failed == 0
    assert len(reports) <= 1


@modes
async def test_a_session_that_ended_meanwhile_frees_its_slot(pools: TenantPools) -> None:
    with tenant_scope("A"):
        connection = await pools.acquire()
        await connection.transaction().start()
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        await pools.release(connection)
    with tenant_scope("B"):
        async with pools.transaction() as connection:
            assert await connection.fetchval(ORG) == "B"


@pipelined
async def test_pools_that_close_while_a_session_is_replaced_leave_nothing_behind(
    tenant_database: TenantDatabase, mode: ModeName
) -> None:
    """The task that was to connect is cancelled before its first step; a coroutine left over would warn."""
    for org in ("A", "B"):
        async with create_tenant_pools(*tenant_database.dsns, min_size=1, max_size=1, mode=mode) as others:
            with tenant_scope(org):
                async with others.acquire() as connection:
                    await connection.execute("PREPARE p AS SELECT 1")
    gc.collect()


async def test_one_that_goes_on_after_an_error_is_run_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    failing, waited_for = (asyncio.get_running_loop().create_future() for _ in range(2))

    class Holder:
        async def release(self, timeout: float | None) -> None:
            with suppress(OSError):
                await failing
            await waited_for
            ended.append(timeout)

    class Connection:
        def _on_release(self) -> None:
            pass

    class Proxy:
        _con, _holder = Connection(), Holder()

    monkeypatch.setattr(releasing, "is_at_rest", lambda _: True)
    ended: list[float | None] = []
    pool: Any = None
    asyncio.get_running_loop().call_soon(failing.set_exception, OSError())
    asyncio.get_running_loop().call_soon(waited_for.set_result, None)
    await give_back(pool, Proxy(), None)
    assert ended == [None]
