"""One winner per key over all processes, on a real PostgreSQL that also goes away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest

from interlock.gates import ManualClock
from interlock.gates.cluster import ClusterFireOnce
from interlock.tenancy import TenantPools, create_tenant_pools, tenant_scope
from interlock.testing import EmbeddedPostgres
from interlock.testing.roles import Roles

WORKERS = 8


@pytest.fixture
async def worker_pools(
    postgres_cluster: EmbeddedPostgres, database: str, database_roles: Roles
) -> AsyncIterator[list[TenantPools]]:
    """Pools of several processes, as far as PostgreSQL can tell."""
    dsns = [postgres_cluster.dsn(role, database) for role in (database_roles.app, database_roles.admin)]
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(create_tenant_pools(*dsns, min_size=1, max_size=2)) for _ in range(WORKERS)
        ]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def workers(worker_pools: list[TenantPools], clock: ManualClock) -> list[ClusterFireOnce]:
    return [ClusterFireOnce(pools, clock=clock, timeout=5) for pools in worker_pools]


async def rows(db: asyncpg.Connection) -> list[tuple[str, bool, int]]:
    return [tuple(row) for row in await db.fetch("SELECT key, fired, epoch FROM interlock.fire_once ORDER BY key")]


async def fire_all(workers: list[ClusterFireOnce], key: str) -> int:
    return sum(await asyncio.gather(*(worker.fire(key) for worker in workers)))


async def test_one_winner_over_all_workers_and_reset_makes_another_epoch(
    workers: list[ClusterFireOnce], db: asyncpg.Connection, clock: ManualClock
) -> None:
    for epoch in range(1, 4):
        assert await fire_all(workers, "k") == 1
        assert await fire_all(workers, "k") == 0
        assert await rows(db) == [("k", True, epoch)]
        assert await workers[epoch].reset("k")
        assert not await workers[epoch].reset("k")
        clock.advance(60)  # the others ask again
    assert await rows(db) == [("k", False, 3)]


async def test_requests_do_not_ask_postgresql(workers: list[ClusterFireOnce], db: asyncpg.Connection) -> None:
    assert await workers[0].fire("k")
    before = await db.fetchval("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
    workers[0]._pools.terminate()
    assert not any([await workers[0].fire("k") for _ in range(1000)])
    assert workers[0].suppressed("k") == 1000
    assert before is not None


async def test_a_stale_reset_is_refused(
    workers: list[ClusterFireOnce], db: asyncpg.Connection, clock: ManualClock
) -> None:
    first, second = workers[:2]
    assert await first.fire("k")
    assert await second.reset("k")
    assert await second.fire("k")
    assert not await first.reset("k")
    assert await rows(db) == [("k", True, 2)]


async def test_the_winners_rollback_hands_the_turn_to_a_waiting_rival(
    workers: list[ClusterFireOnce], db: asyncpg.Connection, clock: ManualClock
) -> None:
    first, second = workers[:2]
    with pytest.raises(OSError, match="sink"):  # noqa: PT012 - the block is one transition
        async with first.transition("k") as turn:
            assert turn.scope == "cluster"
            await turn.write_audit(action="tripped")
            # The rival waits for the row, gives up for now, and has not spent its own chance.
            assert not await second.fire("k")
            raise OSError("sink")
    assert await rows(db) == []
    assert await db.fetchval("SELECT count(*) FROM interlock.audit") == 0
    clock.advance(1)
    assert await second.fire("k")
    assert not await first.fire("k")


async def test_the_rival_wins_at_once_if_it_was_waiting_when_the_winner_rolled_back(
    workers: list[ClusterFireOnce], db: asyncpg.Connection
) -> None:
    first, second = workers[:2]
    with pytest.raises(OSError, match="sink"):  # noqa: PT012 - the block is one transition
        async with first.transition("k"):
            waiting = asyncio.create_task(second.fire("k"))
            while not await db.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                assert not waiting.done()
            raise OSError("sink")
    assert await waiting


async def test_the_audit_row_works_in_a_tenants_request_and_commits_with_the_turn(
    workers: list[ClusterFireOnce], db: asyncpg.Connection
) -> None:
    with tenant_scope(7):
        async with workers[0].transition("k") as turn:
            assert turn
            await turn.write_audit(action="tripped", details={"path": "/"})
            assert await db.fetchval("SELECT count(*) FROM interlock.audit") == 0
    assert await db.fetchval("SELECT count(*) FROM interlock.audit WHERE org_id IS NULL") == 1


async def test_a_cancelled_body_rolls_back(
    workers: list[ClusterFireOnce], db: asyncpg.Connection, clock: ManualClock
) -> None:
    entered = asyncio.Event()

    async def body() -> None:
        async with workers[0].transition("k"):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(body())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await rows(db) == []
    assert not await workers[0].fire("k")
    clock.advance(1)
    assert await workers[0].fire("k")


async def test_losers_write_nothing(workers: list[ClusterFireOnce], db: asyncpg.Connection) -> None:
    await workers[0].fire("k")
    before = await db.fetchval("SELECT pg_current_wal_insert_lsn()")
    for worker in workers[1:]:
        assert not await worker.fire("k")
    assert await db.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1)", before) < 2000


async def test_while_postgresql_is_away_each_process_fires_once_says_so_once_and_reconciles(
    database_roles: Roles, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "interlock.gates.cluster")
    with EmbeddedPostgres() as server:
        for statement in database_roles.create_statements():
            server.execute(statement)
        server.create_database("away")
        server.execute(f'ALTER DATABASE away OWNER TO "{database_roles.owner}"')
        await migrated(server, database_roles)
        dsns = [server.dsn(role, "away") for role in (database_roles.app, database_roles.admin)]
        async with AsyncExitStack() as stack:
            workers = [
                ClusterFireOnce(
                    await stack.enter_async_context(create_tenant_pools(*dsns, min_size=0, max_size=2)),
                    clock=clock,
                    timeout=5,
                )
                for _ in range(2)
            ]
            assert await workers[0].fire("earlier")
            server._halt()  # stop() would remove the data
            async with workers[0].transition("k") as turn:
                assert turn.scope == "local"
            assert await workers[1].fire("k")
            assert not await workers[0].reset("nothing")
            assert await workers[0].reset("earlier")
            for _ in range(10):
                clock.advance(7)
                assert await fire_all(workers, "k") == 0
            assert said(caplog) == ["fire-once: PostgreSQL cannot be asked"] * 2
            caplog.clear()
            server.restart()
            clock.advance(60)
            assert await fire_all(workers, "k") == 0
            assert await workers[1].fire("k") is False
            assert said(caplog) == ["fire-once: PostgreSQL answers again: "] * 2
            admin = await asyncpg.connect(server.dsn(database_roles.admin, "away"))
            assert ("k", True, 1) in await rows(admin)
            # The reset made while it was away is done before the next firing.
            assert await fire_all(workers, "earlier") == 1
            assert ("earlier", True, 2) in await rows(admin)
            await admin.close()


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage()[:37] for record in caplog.records if record.name == "interlock.gates.cluster"]


async def migrated(server: EmbeddedPostgres, roles: Roles) -> None:
    from interlock.schema import migrate

    owner = await asyncpg.connect(server.dsn(roles.owner, "away"))
    await migrate(owner, tenant_role=roles.app, admin_role=roles.admin)
    await owner.close()


async def test_the_runtime_role_cannot_touch_the_table(db_as_app: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db_as_app.fetch("SELECT * FROM interlock.fire_once")
