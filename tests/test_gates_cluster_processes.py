"""Fire-once over real processes, some of which are killed, and a PostgreSQL that is stopped and started."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from interlock.schema import migrate
from interlock.testing import EmbeddedPostgres
from interlock.testing.postgres import run_in_thread
from interlock.testing.roles import Roles

WORKER = Path(__file__).with_name("gates_worker.py")


class Process:
    """A worker, which is told and asked in lines."""

    def __init__(self, *dsns: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, WORKER, *dsns], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(self, *words: object) -> None:
        assert self.popen.stdin is not None
        print(*words, file=self.popen.stdin, flush=True)

    def answer(self) -> Any:
        assert self.popen.stdout is not None
        return json.loads(self.popen.stdout.readline())

    def ask(self, *words: object) -> Any:
        self.tell(*words)
        return self.answer()

    def kill(self) -> None:
        self.popen.kill()
        self.popen.communicate()


Start = Callable[[int], list[Process]]


@pytest.fixture
def start(postgres_cluster: EmbeddedPostgres, database: str, database_roles: Roles) -> Iterator[Start]:
    """Starts so many workers on one database."""
    dsns = [postgres_cluster.dsn(role, database) for role in (database_roles.app, database_roles.admin)]
    processes: list[Process] = []
    yield lambda number: started(number, dsns, processes)
    for process in processes:
        process.kill()


def started(number: int, dsns: list[str], processes: list[Process]) -> list[Process]:
    fresh = [Process(*dsns) for _ in range(number)]
    processes.extend(fresh)
    assert [process.answer() for process in fresh] == ["ready"] * number
    return fresh


async def test_one_process_of_three_tells_it_once_at_fatal(start: Start, db: asyncpg.Connection) -> None:
    processes = start(3)
    for process in processes:
        process.tell("requests", 30)
    reports = [process.answer() for process in processes]
    assert [report["statuses"] for report in reports] == [[503]] * 3
    assert [level for report in reports for level in report["logged"]] == ["CRITICAL"]
    assert [level for report in reports for level in report["captured"]] == ["fatal"]
    assert await db.fetchval("SELECT count(*) FROM interlock.audit WHERE action = 'sunset'") == 1


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "rolls back"])
async def test_a_winner_that_does_not_come_through_hands_the_turn_to_another_process(
    start: Start, db: asyncpg.Connection, killed: bool
) -> None:
    winner, rival = start(2)
    assert winner.ask("win_and_hold", "k") is True
    assert rival.ask("fire", "k") is False
    if killed:
        winner.kill()
    else:
        winner.tell("fail")
        winner.answer()
    assert rival.ask("fire_until_won", "k") is True
    # What the first one had written is gone with its turn.
    assert await db.fetchval("SELECT count(*) FROM interlock.audit WHERE action = 'held'") == 0
    assert await db.fetchval("SELECT epoch FROM interlock.fire_once WHERE key = 'k'") == 1


@pytest.mark.slow  # test_gates_cluster.py stops a server, too, under pools of one process
def test_while_the_server_is_stopped_each_process_fires_once_and_says_so_once(database_roles: Roles) -> None:
    processes: list[Process] = []
    with EmbeddedPostgres() as server:
        for statement in database_roles.create_statements():
            server.execute(statement)
        server.create_database("away")
        server.execute(f'ALTER DATABASE away OWNER TO "{database_roles.owner}"')
        run_in_thread(migrated(server.dsn(database_roles.owner, "away"), database_roles))
        dsns = [server.dsn(role, "away") for role in (database_roles.app, database_roles.admin)]
        try:
            both = started(2, dsns, processes)
            assert sorted(process.ask("fire", "before") for process in both) == [False, True]
            server._halt()  # stop() would remove the data
            assert [process.ask("fire", "during") for process in both] == [True, True]
            assert [process.ask("fire", "during") for process in both] == [False, False]
            server.restart()
            assert [process.ask("fire_until_asked", "during") for process in both] == [False, False]
            (newcomer,) = started(1, dsns, processes)
            assert newcomer.ask("fire", "during") is False
            assert newcomer.ask("fire", "after") is True
            for process in both:
                away, back = process.ask("said", "all")
                assert "cannot be asked" in away
                assert "answers again" in back
        finally:
            for process in processes:
                process.kill()


async def migrated(dsn: str, roles: Roles) -> None:
    owner = await asyncpg.connect(dsn)
    await migrate(owner, tenant_role=roles.app, admin_role=roles.admin)
    await owner.close()
