"""Many processes at once, killed at random, over a server that restarts and crashes: logs and tables must agree.

Each guard is also broken once, to show that the checker notices.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from interlock import schema
from interlock.schema import migrate
from interlock.testing import EmbeddedPostgres
from interlock.testing.roles import Roles

HERE = Path(__file__).parent / "attack"
sys.path.insert(0, str(HERE))

from checker import ROWS, read_logs, violations  # noqa: E402 - a folder of this test alone

ROLES = Roles()
# What was acknowledged must survive, so durability is on.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}

# How much the clients write in their logs between two kills from outside, where ``kills`` is 1.
KILL_BYTES = 60_000

Sabotage = Callable[[str], str]


async def attack(
    tmp_path: Path,
    *,
    processes: int,
    proposals: int,
    contents: int,
    kills: float,
    seed: int,
    sabotage: Sabotage | None = None,
) -> tuple[list[str], Counter[str]]:
    """Run the clients to their end, starting those again that die, and the server twice; return the violations.

    A client kills itself within transactions and executions, at the rate of ``kills`` in a hundred steps; now and then
    one is killed from outside, wherever it is: by what was done and not by the clock, so that a slow machine gets on.
    """
    with EmbeddedPostgres(settings=DURABLE) as server:
        await _prepare(server, sabotage)
        config = {
            "dsns": [server.dsn(ROLES.app, "attack"), server.dsn(ROLES.admin, "attack")],
            "orgs": ["a", "b"],
            "proposals": proposals,
            "contents": contents,
            "kills": kills,
            "seed": seed,
        }
        chance = random.Random(seed)
        logs = [tmp_path / f"client-{number}.log" for number in range(processes)]
        clients = {log: _start(config, log) for log in logs}
        next_kill = chance.expovariate(kills / KILL_BYTES)
        counted: Counter[str] = Counter()
        # A clean restart, then a crash: what was acknowledged must be in the write-ahead log by then.
        outages = [(processes * proposals * third // 3, fall) for third, fall in ((1, _restart), (2, _crash))]
        try:
            while clients:
                await asyncio.sleep(0.2)
                if outages and _asked(logs) >= outages[0][0]:
                    await asyncio.to_thread(outages.pop(0)[1], server)
                    counted["outages"] += 1
                if _written(logs) >= next_kill:
                    next_kill = _written(logs) + chance.expovariate(kills / KILL_BYTES)
                    chance.choice([*clients.values()]).kill()
                for log, client in list(clients.items()):
                    if client.poll() is None:
                        continue
                    if client.returncode == 0:
                        del clients[log]
                    else:
                        assert client.returncode == -signal.SIGKILL, log.with_suffix(".err").read_text()
                        counted["kills"] += 1
                        clients[log] = _start(config, log)
        finally:
            for client in clients.values():
                client.kill()
                client.wait()
        admin = await asyncpg.connect(server.dsn(ROLES.admin, "attack"))
        rows = [dict(row) for row in await admin.fetch(ROWS)]
        await admin.close()
    events = read_logs(logs)
    counted.update(event["op"] for event in events)
    counted.update(f"rows {row['state']}" for row in rows)
    return violations(events, rows), counted


def _restart(server: EmbeddedPostgres) -> None:
    server.restart()


def _crash(server: EmbeddedPostgres) -> None:
    """Immediate shutdown: no session ends in order, nothing is written any more, and the start is a recovery."""
    (pid, *_) = (Path(server.folder or "") / "data" / "postmaster.pid").read_text().splitlines()
    os.kill(int(pid), signal.SIGQUIT)
    server.restart()


async def _prepare(server: EmbeddedPostgres, sabotage: Sabotage | None) -> None:
    for statement in ROLES.create_statements():
        server.execute(statement)
    server.create_database("attack")
    server.execute(f'ALTER DATABASE attack OWNER TO "{ROLES.owner}"')
    owner = await asyncpg.connect(server.dsn(ROLES.owner, "attack"))
    await migrate(owner, tenant_role=ROLES.app, admin_role=ROLES.admin)
    if sabotage is not None:
        files = dict(schema.schema_files())
        original = files["30_proposals.sql"] + files["31_propose.sql"]
        broken = sabotage(original)
        assert broken != original
        await owner.execute("DROP INDEX interlock.proposals_in_flight")
        await owner.execute(schema.with_roles(broken, {"tenant_role": ROLES.app, "admin_role": ROLES.admin}))
    await owner.close()


def _start(config: dict[str, Any], log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(HERE / "client.py"), json.dumps(config), str(log)]
    with log.with_suffix(".err").open("ab") as errors:
        return subprocess.Popen(command, stderr=errors)


def _written(logs: list[Path]) -> int:
    return sum(log.stat().st_size for log in logs if log.exists())


def _asked(logs: list[Path]) -> int:
    return sum(event["op"] == "ask" for event in read_logs(log for log in logs if log.exists()))


async def test_a_small_attack(tmp_path):
    found, counted = await attack(tmp_path, processes=3, proposals=100, contents=15, kills=0.5, seed=1)
    assert found == []
    assert counted["outages"] == 2
    assert counted["decided"] > 150
    assert counted["completed"] > 5


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_attack_at_full_size(tmp_path, seed):
    found, counted = await attack(tmp_path, processes=8, proposals=2000, contents=200, kills=0.5, seed=seed)
    print(seed, dict(counted))
    assert found == []
    assert counted["outages"] == 2
    assert counted["kills"] > 8


BROKEN = {
    # Only pending rows count, as in the anti-pattern of a snapshot filtered to one state.
    "arbiter": lambda sql: sql.replace(
        "WHERE state IN ('pending', 'executing', 'interrupted')\n      DO UPDATE",
        "WHERE state = 'pending' DO UPDATE",
    ).replace(
        "(org_id, kind, content_hash)\n  WHERE state IN ('pending', 'executing', 'interrupted');",
        "(org_id, kind, content_hash)\n  WHERE state = 'pending';",
    ),
    "fencing": lambda sql: sql.replace("WHEN known_attempt <> proposal.attempt THEN 'stale'", ""),
    "lease": lambda sql: sql.replace("IF proposal.lease_until <= clock_timestamp() THEN", "IF false THEN"),
}
SEEN_AS = {"arbiter": "in flight", "fencing": "too late", "lease": "too late"}


@pytest.mark.slow
@pytest.mark.parametrize("guard", BROKEN)
async def test_the_checker_notices_a_broken_guard(tmp_path, guard):
    found, _ = await attack(tmp_path, processes=3, proposals=400, contents=12, kills=3, seed=1, sabotage=BROKEN[guard])
    assert any(SEEN_AS[guard] in violation for violation in found)
