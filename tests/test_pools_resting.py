"""A session that was released a moment ago serves the next checkout without asyncpg's pool, and is no less free."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from interlock.tenancy import TenantPools, create_tenant_pools, resting, tenant_scope
from interlock.tenancy.modes import ModeName
from interlock.tenancy.role_pool import RolePool

if TYPE_CHECKING:
    from conftest import TenantDatabase

ORG = "SELECT current_setting('app.current_org_id', true)"

pytestmark = pytest.mark.parametrize("mode", ["merged", "pipelined"])


@asynccontextmanager
async def _pools(database: TenantDatabase, mode: ModeName, **options: Any) -> AsyncIterator[TenantPools]:
    async with create_tenant_pools(*database.dsns, min_size=0, max_size=2, mode=mode, **options) as pools:
        yield pools


def _tenant(pools: TenantPools) -> RolePool:
    assert pools._opened is not None
    return pools._opened.tenant


def _lent(pools: TenantPools) -> list[Any]:
    """What asyncpg's pool makes anew whenever it lends a session."""
    return [holder._in_use for holder in _tenant(pools)._pool._holders]


async def _pid(pools: TenantPools, org: str) -> int:
    with tenant_scope(org):
        async with pools.acquire(timeout=5) as connection:
            assert await connection.fetchval(ORG) == org
            return int(await connection.fetchval("SELECT pg_backend_pid()"))


async def test_the_next_checkout_takes_it(tenant_database: TenantDatabase, mode: ModeName) -> None:
    async with _pools(tenant_database, mode) as pools:
        pid, lent = await _pid(pools, "A"), _lent(pools)
        assert (await _pid(pools, "B"), _lent(pools)) == (pid, lent)
        stats = pools.stats().tenant
        assert (stats.size, stats.idle) == (1, 1)


async def test_it_rests_for_a_moment_alone(
    tenant_database: TenantDatabase, mode: ModeName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resting, "REST_SECONDS", 0)
    async with _pools(tenant_database, mode) as pools:
        pid = await _pid(pools, "A")
        for _ in range(200):
            if not any(_lent(pools)):
                break
            await asyncio.sleep(0.01)
        stats = pools.stats().tenant
        assert not any(_lent(pools))
        assert (stats.size, stats.idle, await _pid(pools, "B")) == (1, 1, pid)


async def test_it_is_reset_once(tenant_database: TenantDatabase, mode: ModeName) -> None:
    async with _pools(tenant_database, mode) as pools:
        await _pid(pools, "A")
        tenant = _tenant(pools)
        left: list[object] = []
        tenant.mode.leave = left.append  # type: ignore[method-assign]
        await tenant._resting.end()
        assert left == []
        await _pid(pools, "B")
        await tenant._resting.end()
        assert len(left) == 1
        del tenant.mode.leave


async def test_several_rest_and_are_taken_once_each(tenant_database: TenantDatabase, mode: ModeName) -> None:
    async with _pools(tenant_database, mode) as pools:
        for _ in range(3):
            async with asyncio.timeout(5):
                with tenant_scope("A"):
                    first, second = await pools.acquire(), await pools.acquire()
            assert first._checkout.session is not second._checkout.session
            for connection in (first, second):
                await pools.release(connection)
            assert pools.stats().tenant.idle == 2


@pytest.mark.parametrize("how", ["expired", "terminated", "ended by the server"])
async def test_one_that_ends_at_rest_is_replaced(tenant_database: TenantDatabase, mode: ModeName, how: str) -> None:
    async with _pools(tenant_database, mode) as pools:
        pid = await _pid(pools, "A")
        (session,) = _tenant(pools)._resting
        connection = session._con
        if how == "expired":
            await pools.expire_connections()
        elif how == "terminated":
            connection.terminate()
        else:
            # Its own session asks for its end, which the checkout after must not meet.
            with pytest.raises(asyncpg.PostgresError):
                await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        pids = await asyncio.gather(*(_pid(pools, org) for org in "ABC"))
        assert pid not in pids
        assert pools.stats().tenant.idle == pools.stats().tenant.size


@pytest.mark.parametrize("released", ["before", "meanwhile"])
async def test_pools_that_close_do_not_wait_for_it(
    tenant_database: TenantDatabase, mode: ModeName, monkeypatch: pytest.MonkeyPatch, released: str
) -> None:
    monkeypatch.setattr(resting, "REST_SECONDS", 3600)
    async with asyncio.timeout(10):
        pools = await create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=2, mode=mode)
        pid = await _pid(pools, "A")
        if released == "before":
            await pools.close()
        else:
            with tenant_scope("B"):
                connection = await pools.acquire()
            closing = asyncio.create_task(pools.close())
            for _ in range(50):
                await asyncio.sleep(0)
            await pools.release(connection)
            await closing
        admin = await asyncpg.connect(tenant_database.dsns[1])
        for _ in range(200):
            left = await admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid)
            if not left:
                break
            await asyncio.sleep(0.01)
        await admin.close()
        assert left == 0


async def test_nobody_takes_it_from_pools_that_were_terminated(
    tenant_database: TenantDatabase, mode: ModeName
) -> None:
    async with _pools(tenant_database, mode) as pools:
        await _pid(pools, "A")
        tenant = _tenant(pools)
        pools.terminate()
        with pytest.raises(asyncpg.InterfaceError, match="closed"):
            await tenant.checkout(None)
        await tenant._resting.end()


async def test_the_reset_of_the_user_is_done_at_once(tenant_database: TenantDatabase, mode: ModeName) -> None:
    done: list[int] = []

    async def reset(connection: asyncpg.Connection) -> None:
        done.append(connection.get_server_pid())

    async with _pools(tenant_database, mode, reset=reset) as pools:
        pid = await _pid(pools, "A")
        assert (done, any(_lent(pools))) == ([pid], False)


@contextmanager
def _dead(pid: int) -> Iterator[None]:
    """The way to a session is down: nothing that is sent to it is answered."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("command_timeout", [None, 60])
@pytest.mark.parametrize("meets", ["a checkout", "the end of the rest", "the end of the pools"])
async def test_nobody_waits_for_one_that_is_expired_and_does_not_answer(
    tenant_database: TenantDatabase, mode: ModeName, command_timeout: float | None, meets: str
) -> None:
    async with asyncio.timeout(20):
        pools = await create_tenant_pools(
            *tenant_database.dsns, min_size=0, max_size=1, mode=mode, command_timeout=command_timeout
        )
        pid = await _pid(pools, "A")
        with _dead(pid):
            await pools.expire_connections()
            if meets == "the end of the rest":
                await _tenant(pools)._resting.end()
            if meets != "the end of the pools":
                assert await _pid(pools, "B") != pid
            await pools.close()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_release_of_one_that_is_expired_and_does_not_answer_is_not_cancelled(
    tenant_database: TenantDatabase, mode: ModeName
) -> None:
    pools = await create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1, mode=mode, command_timeout=0.1)
    with tenant_scope("A"):
        connection = await pools.acquire()
    with _dead(connection._checkout.session.pid):
        await pools.expire_connections()
        with pytest.raises(TimeoutError):
            await pools.release(connection)
    pools.terminate()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_whoever_waits_in_the_pool_while_a_login_takes_its_time_is_served(
    tenant_database: TenantDatabase, mode: ModeName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resting, "REST_SECONDS", 3600)
    logs_in = asyncio.Event()
    logs_in.set()

    async def connect(*args: Any, **options: Any) -> asyncpg.Connection:
        await logs_in.wait()
        return await asyncpg.connect(*args, **options)

    pools = await create_tenant_pools(*tenant_database.dsns, min_size=2, max_size=2, mode=mode, connect=connect)
    with tenant_scope("A"):
        first, second = await pools.acquire(), await pools.acquire()
    logs_in.clear()
    # asyncpg replaces it at once, as there are fewer than min_size, and has its slot until then.
    first.terminate()
    await pools.release(first)
    await asyncio.sleep(0.01)
    waiting = asyncio.create_task(_pid(pools, "B"))
    await asyncio.sleep(0.01)
    await pools.release(second)
    try:
        assert await asyncio.wait_for(waiting, 10) == second._checkout.session.pid
    finally:
        logs_in.set()
        await pools.close()


async def test_a_close_that_is_cancelled_closes_all_the_same(
    tenant_database: TenantDatabase, mode: ModeName, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _pools(tenant_database, mode) as pools:
        await _pid(pools, "A")
        tenant = _tenant(pools)

        async def cancelled() -> None:
            raise asyncio.CancelledError

        monkeypatch.setattr(tenant.mode, "stop", cancelled)
        with pytest.raises(asyncio.CancelledError):
            await tenant.close()
        monkeypatch.undo()
        with pytest.raises(asyncpg.InterfaceError, match="closed"):
            await tenant.checkout(None)


async def test_one_that_ended_at_rest_is_not_counted(tenant_database: TenantDatabase, mode: ModeName) -> None:
    async with _pools(tenant_database, mode) as pools:
        await _pid(pools, "A")
        (session,) = _tenant(pools)._resting
        session._con.terminate()
        stats = pools.stats().tenant
        assert (stats.size, stats.idle) == (0, 0)
