"""How fast the harness is and what it finds, beside peers, on the help desk in ``tests/leaky_app``.

    python benchmarks/isolation.py speed                 requests per second: harness client, httpx, Schemathesis
    python benchmarks/isolation.py mutants --seeds 5     every plant × seeds: found or not, time to first leak (hours)
    python benchmarks/isolation.py clean --seeds 20      the clean service: false alarms
    python benchmarks/isolation.py clean --app freight   the same on the freight service in ``tests/freight_app``
    python benchmarks/isolation.py oracles               which mutants are lost without which oracle
    python benchmarks/isolation.py peers                 simpler checks and Schemathesis on the same mutants

Schemathesis is measured if it is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import platform
import socket
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import uvicorn
from fastapi import FastAPI

from freight_app.app import create_app as freight_service
from freight_app.app import create_org as create_firm
from freight_app.app import headers_for as headers_of_firm
from interlock.testing import EmbeddedPostgres, IsolationHarness
from interlock.testing.client import AsgiClient
from interlock.testing.exchange import Request
from interlock.testing.report import Report
from leaky_app.app import create_app
from leaky_app.database import Database, create_database, create_template, headers_for
from leaky_app.needs import CODES, NEEDS, found_by
from leaky_app.person import SECRET, Person
from leaky_app.plants import PLANTS, Plant

ROUNDS, REQUESTS, FUZZED = 5, 400, 5
SECONDS = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "mutants", "clean", "oracles", "peers"])
    parser.add_argument("--app", choices=["desk", "freight"], default="desk")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=None, help="plant ids")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="budget of one run")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, load {load:.1f}, Python {platform.python_version()}")
    if arguments.what == "speed":
        asyncio.run(speed())
        return
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    if arguments.app == "freight":
        clean(freight, seeds, arguments.seconds)
        return
    with EmbeddedPostgres() as server:
        create_template(server)
        chosen = [plant for plant in PLANTS if arguments.only is None or plant.id in arguments.only]
        if arguments.what == "mutants":
            mutants(server, chosen, seeds, arguments.seconds)
        elif arguments.what == "clean":
            clean(lambda: harness(server, None), seeds, arguments.seconds)
        elif arguments.what == "oracles":
            oracles(server, arguments.only)
        else:
            peers(server, chosen)


# --- what the harness finds


@contextmanager
def harness(
    server: EmbeddedPostgres, plant: Plant | None, without: frozenset[str] = frozenset()
) -> Iterator[IsolationHarness]:
    name = f"bench_{uuid.uuid4().hex[:8]}"
    database = create_database(server, name, plant)
    app = create_app(database.tenant_dsn, database.admin_dsn, plant.id if plant else None)
    yield IsolationHarness(
        app, create_org=database.create_org, headers_for=headers_for, admin=database.admin_dsn, without=without
    )
    server.drop_database(name)


@contextmanager
def freight() -> Iterator[IsolationHarness]:
    app = freight_service()
    yield IsolationHarness(app, create_org=lambda: create_firm(app), headers_for=headers_of_firm)


def mutants(server: EmbeddedPostgres, plants: list[Plant], seeds: range, seconds: float) -> None:
    found, times = 0, []
    for plant in plants:
        for seed in seeds:
            report = run(harness(server, plant), seed, seconds)
            leak = report.leaks[0] if report.leaks else None
            found += leak is not None
            times.append(report.seconds)
            said = f"{leak.oracle:4} {leak.endpoint}" if leak else "MISSED"
            print(
                f"{plant.id:32} seed {seed} {report.seconds:6.1f} s {report.coverage.requests:6} requests  {said}",
                flush=True,
            )
    total = len(plants) * len(seeds)
    print(f"found {found} of {total} ({found / total:.1%})")
    print(f"median {statistics.median(times):.1f} s, worst {max(times):.1f} s")


def clean(service: Callable[[], AbstractContextManager[IsolationHarness]], seeds: range, seconds: float) -> None:
    alarms = 0
    for seed in seeds:
        report = run(service(), seed, seconds)
        alarms += not report.ok
        print(f"clean, seed {seed}: {report.verdict} after {report.coverage.examples} examples, "
              f"{report.coverage.requests} requests, {report.seconds:.1f} s", flush=True)  # fmt: skip
        for finding in (*report.leaks, *report.vacuous):
            print(finding)
    print(f"{alarms} false alarms in {len(seeds)} runs")


def oracles(server: EmbeddedPostgres, only: list[str] | None) -> None:
    """Each mutant of the table with its oracle alone, and with all others."""
    by_id = {plant.id: plant for plant in PLANTS}
    print("| oracle | mutants that need it | with it alone | with all others |\n|---|---|---|---|", flush=True)
    for code, needing in NEEDS.items():
        for plant, target in needing.items() if only is None else ((p, needing[p]) for p in needing if p in only):
            alone, others = (
                found_by(lambda without: harness(server, by_id[plant], without), enabled, target) or "held"  # noqa: B023
                for enabled in (frozenset({code}), CODES - {code})
            )
            print(f"| {code} | `{plant}` | {alone} | {others} |", flush=True)


def run(service: AbstractContextManager[IsolationHarness], seed: int, seconds: float) -> Report:
    with service as one:
        return one.run(max_examples=100, seed=seed, max_seconds=seconds - 10)


# --- what simpler checks find


def peers(server: EmbeddedPostgres, plants: list[Plant]) -> None:
    """Which mutants each check finds, and how long it takes for one, with making its database.

    The harness, a naive test (A creates, B lists, A's text is looked for), a status replay (B repeats A's requests),
    and a fuzzer.

    The fuzzer has found a mutant if it complains of something that it did not complain of in three runs over the clean
    service with the same examples.
    """
    usual: set[str] = set()

    def harnessed(plant: Plant) -> bool:
        return bool(run(harness(server, plant), 0, SECONDS).leaks)

    def by_hand(check: Callable[[AsgiClient, Database], Coroutine[Any, Any, bool]], plant: Plant) -> bool:
        return asyncio.run(_driven(server, plant, check))

    def fuzzed(plant: Plant) -> bool:
        return bool(fuzz(server, plant) - usual)

    checks: dict[str, Callable[[Plant], bool]] = {
        "the harness": harnessed,
        "naive test": partial(by_hand, naive_two_users),
        "status replay": partial(by_hand, status_replay),
    }
    if _installed("schemathesis"):
        checks["Schemathesis, as one org"] = fuzzed
        usual.update(*(fuzz(server, None) for _ in range(3)))
    times: dict[str, list[float]] = {name: [] for name in checks}
    for plant in plants:
        said = []
        for name, check in checks.items():
            started = time.perf_counter()
            if check(plant):
                times[name].append(time.perf_counter() - started)
                said.append(f"{name} {times[name][-1]:.1f} s")
        print(f"{plant.id:32} {', '.join(said) or 'nobody'}", flush=True)
    print(f"| check | finds, of {len(plants)} | median s | worst s |\n|---|---|---|---|")
    for name, each in times.items():
        shown = f"{statistics.median(each):.1f} | {max(each):.1f}" if each else "– | –"
        print(f"| {name} | {len(each)} | {shown} |")


async def _driven(
    server: EmbeddedPostgres, plant: Plant, check: Callable[[AsgiClient, Database], Coroutine[Any, Any, bool]]
) -> bool:
    database = create_database(server, f"bench_{uuid.uuid4().hex[:8]}", plant)
    async with AsgiClient(create_app(database.tenant_dsn, database.admin_dsn, plant.id)) as client:
        return await check(client, database)


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def fuzz(server: EmbeddedPostgres, plant: Plant | None) -> set[str]:
    """What Schemathesis' own checks complain about, after another org has written: operation and complaint."""
    import requests
    import schemathesis
    from hypothesis import HealthCheck, given, settings

    database = create_database(server, f"bench_{uuid.uuid4().hex[:8]}", plant)
    failures: set[str] = set()
    with served(create_app(database.tenant_dsn, database.admin_dsn, plant.id if plant else None)) as url:
        org = asyncio.run(database.create_org("x"))
        for result in schemathesis.openapi.from_url(f"{url}/openapi.json").get_all_operations():
            operation = result.ok()

            @settings(
                max_examples=FUZZED,
                derandomize=True,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def check(case: Any) -> None:
                try:
                    case.call_and_validate(headers=headers_for(org), timeout=2)
                except requests.RequestException:
                    return  # a stream
                except BaseExceptionGroup as group:
                    failures.update(f"{case.method} {case.path} {type(one).__name__}" for one in group.exceptions)

            check()
    return failures


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The application behind a real server, on a port of its choosing."""
    listening = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        running.should_exit = True
        thread.join()


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
