"""A cancelled task ends as cancelled, whatever else breaks, and its connection goes back or goes away."""

from __future__ import annotations

import asyncio
import itertools
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from interlock.errors import ScopeEnded, TransactionRequired
from interlock.tenancy import TenantConnection, TenantPools, create_tenant_pools, tenant_scope
from interlock.tenancy.chaining import put_behind
from interlock.tenancy.modes import ModeName
from interlock.tenancy.system_statements import SystemStatement

if TYPE_CHECKING:
    from conftest import TenantDatabase

ORG = "SELECT current_setting('app.current_org_id', true)"
BROKEN = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, asyncpg.InternalClientError)


@pytest.fixture(params=["merged", "pipelined", "transaction"])
def mode(request: pytest.FixtureRequest) -> ModeName:
    chosen: ModeName = request.param
    return chosen


@pytest.fixture
async def pools(tenant_database: TenantDatabase, mode: ModeName) -> AsyncIterator[TenantPools]:
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1, mode=mode) as pools:
        yield pools


def _cut(connection: TenantConnection) -> None:
    """As if the network had gone away."""
    connection._checkout.session.connection._transport.abort()


@asynccontextmanager
async def _transaction(pools: TenantPools) -> AsyncIterator[None]:
    async with pools.transaction() as connection:
        _cut(connection)
        yield


@asynccontextmanager
async def _transaction_of_a_connection(pools: TenantPools) -> AsyncIterator[None]:
    async with pools.acquire() as connection, connection.transaction():
        _cut(connection)
        yield


@asynccontextmanager
async def _savepoint(pools: TenantPools) -> AsyncIterator[None]:
    async with pools.transaction() as connection, connection.transaction():
        _cut(connection)
        yield


@asynccontextmanager
async def _operation_in_progress(pools: TenantPools) -> AsyncIterator[None]:
    async with pools.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        sibling = asyncio.create_task(connection.execute("SELECT pg_sleep(60)"))
        await asyncio.sleep(0)
        try:
            yield
        finally:
            sibling.add_done_callback(lambda done: done.exception())


# Each leaves a block whose connection cannot be given back as it should.
FORMS = [_transaction, _transaction_of_a_connection, _savepoint, _operation_in_progress]


async def _slot_is_back(pools: TenantPools) -> None:
    """The one slot can be had again; a session lost while nobody used it may tell of itself once."""
    with tenant_scope("B"):
        for _ in range(2):
            with suppress(*BROKEN):
                async with asyncio.timeout(30), pools.transaction() as connection:
                    assert await connection.fetchval(ORG) == "B"
                    break
        else:
            pytest.fail("no connection could be had")
    stats = pools.stats().tenant
    assert stats.idle == stats.size


@pytest.mark.parametrize("form", FORMS)
async def test_a_broken_connection_does_not_cover_the_cancellation(
    pools: TenantPools, form: Callable[..., Any]
) -> None:
    inside = asyncio.Event()

    async def use() -> None:
        with tenant_scope("A"):
            async with form(pools):
                inside.set()
                await asyncio.Event().wait()

    task = asyncio.create_task(use())
    await inside.wait()
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert task.cancelled()
    # What else went wrong is told behind it.
    assert "asyncpg.exceptions" in "".join(traceback.format_exception(caught.value))
    await _slot_is_back(pools)


@pytest.mark.parametrize("form", FORMS)
async def test_a_broken_connection_does_not_cover_what_the_block_raised(
    pools: TenantPools, form: Callable[..., Any]
) -> None:
    with tenant_scope("A"), pytest.raises(LookupError, match="mine") as caught:
        async with form(pools):
            raise LookupError("mine")
    assert isinstance(caught.value.__context__, (asyncpg.InterfaceError, asyncpg.PostgresError, OSError))
    await _slot_is_back(pools)


async def test_a_cut_and_a_cancellation_at_any_two_moments(pools: TenantPools) -> None:
    async def use(connections: list[TenantConnection]) -> None:
        with tenant_scope("A"):
            async with pools.transaction() as connection:
                connections.append(connection)
                await connection.execute("INSERT INTO items VALUES ('A', $1)", "mine")
                await connection.fetch("SELECT name FROM items")

    for before, between in itertools.product(range(0, 24, 3), range(6)):
        connections: list[TenantConnection] = []
        task = asyncio.create_task(use(connections))
        for _ in range(before):
            await asyncio.sleep(0)
        if connections and not connections[0]._checkout.released:
            _cut(connections[0])
        for _ in range(between):
            await asyncio.sleep(0)
        cancelled = task.cancel()
        with suppress(asyncio.CancelledError, *BROKEN):
            await task
        assert task.cancelled() == cancelled, (before, between)
        await _slot_is_back(pools)


async def test_the_private_lane_is_cancelled_too(pools: TenantPools) -> None:
    inside = asyncio.Event()

    async def use() -> None:
        async with pools.lane.transaction() as transaction:
            await transaction.fetchval(SystemStatement.LIMIT_LOCK_WAIT, "1s")
            _cut(transaction._connection)
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(use())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pools.stats().admin.idle == pools.stats().admin.size


async def test_a_release_that_fails_after_a_block_that_went_well_is_told(pools: TenantPools) -> None:
    with tenant_scope("A"), pytest.raises(asyncpg.InterfaceError, match="in progress"):
        async with _operation_in_progress(pools):
            pass
    await _slot_is_back(pools)


async def test_a_commit_that_the_server_refuses_says_why(pools: TenantPools, tenant_database: TenantDatabase) -> None:
    owner = await asyncpg.connect(tenant_database.owner_dsn)
    await owner.execute("ALTER TABLE items ADD CONSTRAINT once UNIQUE (org_id, name) DEFERRABLE INITIALLY DEFERRED")
    await owner.close()
    with tenant_scope("A"), pytest.raises(asyncpg.UniqueViolationError):
        async with pools.transaction() as connection:
            await connection.execute("INSERT INTO items VALUES ('A', 'a1')")
    await _slot_is_back(pools)


async def test_a_commit_after_the_scope_rolls_back(pools: TenantPools) -> None:
    with tenant_scope("A"):
        acquisition = pools.transaction()
        connection = await acquisition.__aenter__()
        await connection.execute("INSERT INTO items VALUES ('A', 'late')")
    with pytest.raises(ScopeEnded):
        await acquisition.__aexit__(None, None, None)
    with tenant_scope("A"):
        async with pools.transaction() as connection:
            assert await connection.fetchval("SELECT count(*) FROM items") == 2


# --- which transaction carries the scope, behind a pooler


@pytest.fixture
async def transactional(tenant_database: TenantDatabase) -> AsyncIterator[TenantPools]:
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1, mode="transaction") as pools:
        yield pools


async def _rolled_back_twice(connection: TenantConnection) -> None:
    transaction = connection.transaction()
    await transaction.start()
    await transaction.rollback()
    with pytest.raises(asyncpg.InterfaceError, match="already rolled back"):
        await transaction.rollback()


async def _savepoint_left_open(connection: TenantConnection) -> None:
    outer, inner = connection.transaction(), connection.transaction()
    await outer.start()
    await inner.start()
    await outer.rollback()


async def _ended_by_text(connection: TenantConnection) -> None:
    await connection.transaction().start()
    await connection.execute("ROLLBACK")


@pytest.mark.parametrize("ended", [_rolled_back_twice, _savepoint_left_open])
async def test_a_transaction_that_is_over_carries_no_scope(
    transactional: TenantPools, ended: Callable[[TenantConnection], Awaitable[None]]
) -> None:
    with tenant_scope("A"):
        async with transactional.acquire() as connection:
            await ended(connection)
            with pytest.raises(TransactionRequired):
                await connection.fetch(ORG)
            async with connection.transaction():
                assert await connection.fetchval(ORG) == "A"
            with pytest.raises(TransactionRequired):
                await connection.fetch(ORG)


async def test_a_transaction_that_a_statement_ended_carries_no_scope(transactional: TenantPools) -> None:
    with tenant_scope("A"):
        async with transactional.acquire() as connection:
            await _ended_by_text(connection)
            with pytest.raises(TransactionRequired):
                await connection.fetch(ORG)
            connection.terminate()


async def test_a_transaction_whose_scope_was_not_set_is_closed(transactional: TenantPools) -> None:
    tenant = transactional._opened.tenant
    enter = tenant.mode.enter_transaction

    async def cancelled(*_: object) -> None:
        raise asyncio.CancelledError

    with tenant_scope("A"):
        async with transactional.acquire() as connection:
            tenant.mode.enter_transaction = cancelled
            with pytest.raises(asyncio.CancelledError):
                await connection.transaction().start()
            tenant.mode.enter_transaction = enter
            with pytest.raises((TransactionRequired, asyncpg.InterfaceError)):
                await connection.fetch(ORG)
    await _slot_is_back(transactional)


def test_errors_are_chained_without_a_circle() -> None:
    first, error, failure = ValueError("first"), KeyError("error"), OSError("failure")
    error.__context__ = first
    failure.__context__ = error
    put_behind(error, failure)
    chain: list[BaseException] = [error]
    while (behind := chain[-1].__context__) is not None:
        chain.append(behind)
        assert len(chain) < 9
    assert chain == [error, failure, first]


async def test_a_session_that_is_ready_when_its_caller_has_gone_is_closed(
    tenant_database: TenantDatabase, mode: ModeName
) -> None:
    opened: list[asyncpg.Connection] = []
    leaving: list[asyncio.Task[Any]] = []

    async def connect(*args: Any, **options: Any) -> asyncpg.Connection:
        connection = await asyncpg.connect(*args, **options)
        if leaving:
            opened.append(connection)
            leaving.pop().cancel()
        return connection

    options: Any = {"min_size": 0, "max_size": 1, "mode": mode, "connect": connect}
    async with create_tenant_pools(*tenant_database.dsns, **options) as pools:
        with tenant_scope("A"):
            task = asyncio.ensure_future(pools.acquire())
            leaving.append(task)
            with pytest.raises(asyncio.CancelledError):
                await task
            assert [connection.is_closed() for connection in opened] == [True]
            async with pools.acquire() as connection:
                assert isinstance(connection, TenantConnection)
