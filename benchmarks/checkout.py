"""The cost of a tenant-scoped checkout: acquire, one query, release, beside asyncpg's own unscoped cycle.

    python benchmarks/checkout.py [--rounds 30] [--cycles 60] [--only asyncio-unix]

Every variant takes its turn in every round of one run, so that whatever slows the machine down slows all of them.
A figure is the median over rounds of the median over cycles; ratios are taken to asyncpg's unscoped pool.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import platform
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import uvloop

from interlock.schema import migrate
from interlock.tenancy import create_tenant_pools, tenant_scope
from interlock.tenancy.scope import frame_allows, require_frame
from interlock.testing import EmbeddedPostgres
from interlock.testing.roles import Roles

ROLES = Roles()
DATABASE = "checkout"
QUERY = "select 1"
CONNECTIONS = 4
TASKS = 16
# The budget: (variant, peer, at most).
BUDGETS = (
    ("pipelined", "asyncpg, unscoped", 0.75),
    ("pipelined", "set_config in setup", 0.55),
)

Cycle = Callable[[], Awaitable[object]]


@dataclass
class Variants:
    """What is measured, by name; each does one cycle for the next org."""

    cycles: dict[str, Cycle]


def orgs() -> Callable[[], UUID]:
    """10,000 distinct orgs, over and over."""
    endless = itertools.cycle([UUID(int=number) for number in range(1, 10_001)])
    return lambda: next(endless)


@asynccontextmanager
async def variants(tenant_dsn: str, admin_dsn: str, size: int) -> AsyncIterator[Variants]:
    """Open every pool with ``size`` connections."""
    org = orgs()
    options = {"min_size": size, "max_size": size}

    async def set_org(connection: asyncpg.Connection) -> None:
        await connection.execute("SELECT set_config('app.current_org_id', $1, false)", str(org()))

    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        bare = await asyncpg.connect(tenant_dsn)
        stack.push_async_callback(bare.close)
        plain = await enter(asyncpg.create_pool(tenant_dsn, **options))
        naive = await enter(asyncpg.create_pool(tenant_dsn, setup=set_org, **options))
        merged = await enter(create_tenant_pools(tenant_dsn, admin_dsn, mode="merged", **options))
        pipelined = await enter(create_tenant_pools(tenant_dsn, admin_dsn, mode="pipelined", **options))

        def unscoped(pool: asyncpg.Pool) -> Cycle:
            async def cycle() -> None:
                async with pool.acquire() as connection:
                    await connection.fetchval(QUERY)

            return cycle

        def scoped(pools: object) -> Cycle:
            async def cycle() -> None:
                with tenant_scope(org()):
                    async with pools.acquire() as connection:
                        await connection.fetchval(QUERY)

            return cycle

        async def in_transaction() -> None:
            async with plain.acquire() as connection, connection.transaction():
                await connection.execute("SELECT set_config('app.current_org_id', $1, true)", str(org()))
                await connection.fetchval(QUERY)

        yield Variants(
            {
                "floor: one round trip": lambda: bare.fetchval(QUERY),
                "asyncpg, unscoped": unscoped(plain),
                "set_config in setup": unscoped(naive),
                "transaction + set_config": in_transaction,
                "merged": scoped(merged),
                "pipelined": scoped(pipelined),
            }
        )


async def latency(found: Variants, rounds: int, cycles: int) -> dict[str, float]:
    """Microseconds a cycle, one task at a time."""
    medians: dict[str, list[float]] = {name: [] for name in found.cycles}
    for cycle in found.cycles.values():
        for _ in range(100):
            await cycle()
    for _ in range(rounds):
        for name, cycle in found.cycles.items():
            times = []
            for _ in range(cycles):
                start = time.perf_counter_ns()
                await cycle()
                times.append(time.perf_counter_ns() - start)
            medians[name].append(statistics.median(times))
    return {name: statistics.median(values) / 1000 for name, values in medians.items()}


async def throughput(found: Variants, rounds: int, seconds: float) -> dict[str, float]:
    """Cycles a second of 16 tasks that share the connections."""
    rates: dict[str, list[float]] = {name: [] for name in found.cycles if not name.startswith("floor")}

    async def repeat(cycle: Cycle, until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            await cycle()
            done += 1
        return done

    for _ in range(rounds):
        for name in rates:
            start = time.perf_counter()
            done = await asyncio.gather(*(repeat(found.cycles[name], start + seconds) for _ in range(TASKS)))
            rates[name].append(sum(done) / (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in rates.items()}


def scope_costs() -> dict[str, float]:
    """Nanoseconds of what a scope costs without any I/O."""

    def per_call(function: Callable[[], object], count: int = 20_000) -> float:
        runs = []
        for _ in range(7):
            start = time.perf_counter_ns()
            for _ in range(count):
                function()
            runs.append((time.perf_counter_ns() - start) / count)
        return min(runs)

    org = orgs()

    def enter_and_exit() -> None:
        with tenant_scope(org()):
            pass

    costs = {"enter + exit (with the next org id)": per_call(enter_and_exit), "the next org id alone": per_call(org)}
    with tenant_scope(org()):
        frame = require_frame()
        costs["affinity check of a statement"] = per_call(lambda: frame_allows(frame))
        costs["an empty call"] = per_call(lambda: None)
    return costs


async def measure(tenant_dsn: str, admin_dsn: str, args: argparse.Namespace) -> dict[str, dict[str, float]]:
    async with variants(tenant_dsn, admin_dsn, 2) as found:
        micros = await latency(found, args.rounds, args.cycles)
    async with variants(tenant_dsn, admin_dsn, CONNECTIONS) as found:
        rates = await throughput(found, max(3, args.rounds // 6), args.seconds)
    return {"latency": micros, "throughput": rates}


def report(where: str, found: dict[str, dict[str, float]]) -> bool:
    micros, rates = found["latency"], found["throughput"]
    peer, peer_rate = micros["asyncpg, unscoped"], rates["asyncpg, unscoped"]
    print(f"\n{where}\n{'':26}{'us/cycle':>10}{'x asyncpg':>11}{'cycles/s':>11}{'x asyncpg':>11}")
    for name, value in micros.items():
        rate = f"{rates[name]:11.0f}{rates[name] / peer_rate:11.2f}" if name in rates else ""
        print(f"{name:26}{value:10.1f}{value / peer:11.2f}{rate}")
    verdicts = [
        (
            f"{name} / {other}: {micros[name] / micros[other]:.2f}, budget {limit}",
            micros[name] / micros[other] <= limit,
        )
        for name, other, limit in BUDGETS
    ]
    gain = rates["pipelined"] / peer_rate
    verdicts.append((f"throughput pipelined / asyncpg, unscoped: {gain:.2f}, budget 1.0", gain >= 1.0))
    for text, held in verdicts:
        print(f"  {'ok  ' if held else 'MISS'} {text}")
    return all(held for _, held in verdicts)


async def prepare(server: EmbeddedPostgres) -> None:
    for statement in ROLES.create_statements():
        server.execute(statement)
    server.create_database(DATABASE)
    server.execute(f'ALTER DATABASE {DATABASE} OWNER TO "{ROLES.owner}"')
    owner = await asyncpg.connect(server.dsn(ROLES.owner, DATABASE))
    await migrate(owner, tenant_role=ROLES.app, admin_role=ROLES.admin)
    await owner.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--cycles", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each throughput sample")
    parser.add_argument("--only", help="one of asyncio-unix, asyncio-tcp, uvloop-unix, uvloop-tcp")
    parser.add_argument("--json", help="write the figures here too")
    args = parser.parse_args()
    figures: dict[str, object] = {}
    held = True
    with EmbeddedPostgres(settings={"listen_addresses": "127.0.0.1"}) as server:
        asyncio.run(prepare(server))
        print(
            f"{platform.platform()}, {platform.machine()}, Python {platform.python_version()}, "
            f"asyncpg {asyncpg.__version__}, uvloop {uvloop.__version__}, PostgreSQL {server.version}"
        )
        for loop, factory in (("asyncio", None), ("uvloop", uvloop.new_event_loop)):
            for transport, host in (("unix", None), ("tcp", "127.0.0.1")):
                where = f"{loop}-{transport}"
                if args.only not in (None, where):
                    continue
                dsns = server.dsn(ROLES.app, DATABASE, host=host), server.dsn(ROLES.admin, DATABASE, host=host)
                with asyncio.Runner(loop_factory=factory) as runner:
                    found = runner.run(measure(*dsns, args))
                figures[where] = found
                held &= report(where, found)
    figures["scope_ns"] = scope_costs()
    print("\nscope, ns: " + ", ".join(f"{name} {value:.0f}" for name, value in scope_costs().items()))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=2)
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
