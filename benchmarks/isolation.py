"""How fast the harness is and what it finds, beside peers, on the help desk in ``tests/leaky_app``.

    python benchmarks/isolation.py speed                 requests per second: harness client, httpx, Schemathesis
    python benchmarks/isolation.py mutants --seeds 5     every plant × seeds: found or not, time to first leak (hours)
    python benchmarks/isolation.py clean --seeds 20      the clean service: false alarms
    python benchmarks/isolation.py peers                 a two-user test and a status replay on the same mutants

Schemathesis is measured if it is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from fastapi import FastAPI

from interlock.testing import EmbeddedPostgres, IsolationHarness
from interlock.testing.client import AsgiClient
from interlock.testing.exchange import Request
from interlock.testing.report import Report
from leaky_app.app import create_app
from leaky_app.database import Database, create_database, create_template, headers_for
from leaky_app.person import SECRET, Person
from leaky_app.plants import PLANTS, Plant

ROUNDS, REQUESTS = 5, 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "mutants", "clean", "peers"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=None, help="plant ids")
    parser.add_argument("--seconds", type=float, default=60.0, help="budget of one run")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, load {load:.1f}, Python {platform.python_version()}")
    if arguments.what == "speed":
        asyncio.run(speed())
        return
    with EmbeddedPostgres() as server:
        create_template(server)
        chosen = [plant for plant in PLANTS if arguments.only is None or plant.id in arguments.only]
        if arguments.what == "mutants":
            mutants(server, chosen, arguments.seeds, arguments.seconds)
        elif arguments.what == "clean":
            clean(server, arguments.seeds, arguments.seconds)
        else:
            asyncio.run(peers(server, chosen))


# --- what the harness finds


@contextmanager
def harness(server: EmbeddedPostgres, plant: Plant | None) -> Iterator[IsolationHarness]:
    name = f"bench_{uuid.uuid4().hex[:8]}"
    database = create_database(server, name, plant)
    app = create_app(database.tenant_dsn, database.admin_dsn, plant.id if plant else None)
    yield IsolationHarness(app, create_org=database.create_org, headers_for=headers_for, admin=database.admin_dsn)
    server.drop_database(name)


def mutants(server: EmbeddedPostgres, plants: list[Plant], seeds: int, seconds: float) -> None:
    found, times = 0, []
    for plant in plants:
        for seed in range(seeds):
            report = run(server, plant, seed, seconds)
            leak = report.leaks[0] if report.leaks else None
            found += leak is not None
            times.append(report.seconds)
            said = f"{leak.oracle:4} {leak.endpoint}" if leak else "MISSED"
            print(
                f"{plant.id:32} seed {seed} {report.seconds:6.1f} s {report.coverage.requests:6} requests  {said}",
                flush=True,
            )
    total = len(plants) * seeds
    print(f"found {found} of {total} ({found / total:.1%})")
    print(f"median {statistics.median(times):.1f} s, worst {max(times):.1f} s")


def clean(server: EmbeddedPostgres, seeds: int, seconds: float) -> None:
    alarms = 0
    for seed in range(seeds):
        report = run(server, None, seed, seconds)
        alarms += not report.ok
        print(f"clean, seed {seed}: {report.verdict} after {report.coverage.examples} examples, "
              f"{report.coverage.requests} requests, {report.seconds:.1f} s", flush=True)  # fmt: skip
        for finding in (*report.leaks, *report.vacuous):
            print(finding)
    print(f"{alarms} false alarms in {seeds} runs")


def run(server: EmbeddedPostgres, plant: Plant | None, seed: int, seconds: float) -> Report:
    with harness(server, plant) as one:
        return one.run(max_examples=100, seed=seed, max_seconds=seconds - 10)


# --- what simpler checks find


async def peers(server: EmbeddedPostgres, plants: list[Plant]) -> None:
    """A naive test (A creates, B lists, A's text is looked for) and a status replay (B repeats A's requests)."""
    counts = {"naive two-user test": 0, "status-code replay": 0}
    for plant in plants:
        database = create_database(server, f"bench_{uuid.uuid4().hex[:8]}", plant)
        async with AsgiClient(create_app(database.tenant_dsn, database.admin_dsn, plant.id)) as client:
            naive = await naive_two_users(client, database)
            replay = await status_replay(client, database)
        counts["naive two-user test"] += naive
        counts["status-code replay"] += replay
        print(f"{plant.id:32} naive {'found' if naive else '-':6} replay {'found' if replay else '-'}", flush=True)
    for name, found in counts.items():
        print(f"{name}: {found} of {len(plants)}")


async def naive_two_users(client: AsgiClient, database: Database) -> bool:
    a, b = [Person(client, await database.create_org("x")) for _ in range(2)]
    await a.ticket(), await a.document(), await a.invoice(), await a.proposal()
    lists = ("/customers", "/tickets", "/documents", "/invoices", "/proposals")
    return any([SECRET.encode() in (await b.get(path)).content for path in lists])


async def status_replay(client: AsgiClient, database: Database) -> bool:
    a, b = [Person(client, await database.create_org("x")) for _ in range(2)]
    items = [f"/customers/{await a.customer()}", f"/tickets/{await a.ticket()}", f"/documents/{await a.document()}"]
    items += [f"/invoices/{await a.invoice()}", f"{items[2]}/download"]
    return any([(await b.get(path)).ok for path in items])


# --- how fast the client is


async def speed() -> None:
    """Microseconds per request on a route that does nothing."""
    app = FastAPI()

    @app.get("/nothing")
    async def nothing() -> None: ...

    measured = {"interlock AsgiClient": await _interlock(app), "httpx ASGITransport": await _httpx(app)}
    schemathesis = await asyncio.to_thread(_schemathesis, app)
    if schemathesis is not None:
        measured["Schemathesis case.call()"] = schemathesis
    ours = measured["interlock AsgiClient"]
    for name, micros in measured.items():
        print(f"{name:28} {micros:8.0f} µs/request   {micros / ours:5.1f} ×")


async def _interlock(app: FastAPI) -> float:
    async with AsgiClient(app) as client:
        request = Request("GET", "/nothing")

        async def once() -> None:
            await client.send(request)

        return await _median(once)


async def _httpx(app: FastAPI) -> float:
    import httpx

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client:

        async def once() -> None:
            await client.get("/nothing")

        return await _median(once)


def _schemathesis(app: FastAPI) -> float | None:
    try:
        import schemathesis
    except ImportError:
        print("Schemathesis is not installed: pip install schemathesis to compare")
        return None
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    case = schema["/nothing"]["GET"].Case()
    return statistics.median(_timed(case.call, REQUESTS // 4) for _ in range(ROUNDS))


def _timed(call: Callable[[], object], times: int) -> float:
    call()
    started = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - started) / times * 1e6


async def _median(call: Callable[[], object]) -> float:
    rounds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(REQUESTS):
            await call()  # type: ignore[misc]
        rounds.append((time.perf_counter() - started) / REQUESTS * 1e6)
    return statistics.median(rounds)


if __name__ == "__main__":
    main()
