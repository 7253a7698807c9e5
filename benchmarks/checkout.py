"""The cost of a tenant-scoped checkout: acquire, one query, release, beside asyncpg's own unscoped cycle.

    python benchmarks/checkout.py [--rounds 30] [--cycles 60] [--only asyncio-unix]

Every variant takes its turn in every round of one run, and each round begins with another, so that whatever slows the
machine down slows all of them. A figure is the median over rounds; a ratio is the median of the ratios within a round.

Beside the throughput stands the CPU time of one cycle, in the client and in the backends that served it (Linux only).
It leaves out what other processes took of the machine, so it tells more than the wall clock where those are busy.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import platform
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
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
    """What is measured, by name.

    Attributes:
        cycles: each does one cycle for the next org.
        backends: process ids of the sessions of each.

    """

    cycles: dict[str, Cycle]
    backends: dict[str, list[int]]


@dataclass
class Rate:
    """One sample of the throughput.

    Attributes:
        per_second: cycles.
        client: microseconds of CPU time a cycle.
        server: the same, of the backends.

    """

    per_second: float
    client: float
    server: float


def orgs() -> Callable[[], UUID]:
    """10,000 distinct orgs, over and over."""
    endless = itertools.cycle([UUID(int=number) for number in range(1, 10_001)])
    return lambda: next(endless)


@asynccontextmanager
async def variants(tenant_dsn: str, admin_dsn: str, size: int) -> AsyncIterator[Variants]:
    """Open every pool with ``size`` connections."""
    org = orgs()

    def options(name: str) -> dict[str, object]:
        return {"min_size": size, "max_size": size, "server_settings": {"application_name": name}}

    async def set_org(connection: asyncpg.Connection) -> None:
        await connection.execute("SELECT set_config('app.current_org_id', $1, false)", str(org()))

    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        bare = await asyncpg.connect(tenant_dsn)
        stack.push_async_callback(bare.close)
        plain = await enter(asyncpg.create_pool(tenant_dsn, **options("plain")))
        naive = await enter(asyncpg.create_pool(tenant_dsn, setup=set_org, **options("naive")))
        local = await enter(asyncpg.create_pool(tenant_dsn, **options("local")))
        merged = await enter(create_tenant_pools(tenant_dsn, admin_dsn, mode="merged", **options("merged")))
        pipelined = await enter(create_tenant_pools(tenant_dsn, admin_dsn, mode="pipelined", **options("pipelined")))

        async def backends(name: str) -> list[int]:
            of_the_role = "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND usename = current_user"
            return [row["pid"] for row in await bare.fetch(of_the_role, name)]

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
            async with local.acquire() as connection, connection.transaction():
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
            },
            {
                "floor: one round trip": [bare.get_server_pid()],
                "asyncpg, unscoped": await backends("plain"),
                "set_config in setup": await backends("naive"),
                "transaction + set_config": await backends("local"),
                "merged": await backends("merged"),
                "pipelined": await backends("pipelined"),
            },
        )


def in_turn(names: list[str], rounds: int) -> list[list[str]]:
    """The order of each round: as before, with another one first."""
    return [names[first:] + names[:first] for first in (number % len(names) for number in range(rounds))]


def cpu_of(processes: list[int]) -> float:
    """Microseconds that the processes have run; 0 where the kernel does not tell."""
    nanoseconds = 0
    for process in processes:
        with contextlib.suppress(OSError):
            nanoseconds += int(Path(f"/proc/{process}/schedstat").read_text(encoding="ascii").split()[0])
    return nanoseconds / 1000


async def latency(found: Variants, rounds: int, cycles: int) -> dict[str, list[float]]:
    """Microseconds a cycle, one task at a time: the median of each round."""
    medians: dict[str, list[float]] = {name: [] for name in found.cycles}
    for cycle in found.cycles.values():
        for _ in range(100):
            await cycle()
    for order in in_turn(list(found.cycles), rounds):
        for name in order:
            times = []
            for _ in range(cycles):
                start = time.perf_counter_ns()
                await found.cycles[name]()
                times.append(time.perf_counter_ns() - start)
            medians[name].append(statistics.median(times) / 1000)
    return medians


async def throughput(found: Variants, rounds: int, seconds: float) -> dict[str, list[Rate]]:
    """Cycles of 16 tasks that share the connections, in each round."""
    rates: dict[str, list[Rate]] = {name: [] for name in found.cycles if not name.startswith("floor")}

    async def repeat(cycle: Cycle, until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            await cycle()
            done += 1
        return done

    for order in in_turn(list(rates), rounds):
        for name in order:
            server, client, start = cpu_of(found.backends[name]), time.process_time(), time.perf_counter()
            done = sum(await asyncio.gather(*(repeat(found.cycles[name], start + seconds) for _ in range(TASKS))))
            elapsed = time.perf_counter() - start
            client = (time.process_time() - client) * 1e6
            await asyncio.sleep(0.01)  # for the resets that nobody waits for
            server = cpu_of(found.backends[name]) - server
            rates[name].append(Rate(done / elapsed, client / done, server / done))
    return rates


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


@dataclass
class Figures:
    """What was measured over one loop and transport; lists are by round."""

    latency: dict[str, list[float]]
    throughput: dict[str, list[Rate]]

    def times_as_long(self, name: str, peer: str) -> float:
        """How long a cycle of ``name`` takes, in cycles of ``peer``."""
        pairs = zip(self.latency[name], self.latency[peer], strict=True)
        return statistics.median(mine / theirs for mine, theirs in pairs)

    def times_as_many(self, name: str, peer: str) -> float:
        """How many cycles ``name`` does while ``peer`` does one."""
        pairs = zip(self.throughput[name], self.throughput[peer], strict=True)
        return statistics.median(mine.per_second / theirs.per_second for mine, theirs in pairs)


async def measure(tenant_dsn: str, admin_dsn: str, args: argparse.Namespace) -> Figures:
    async with variants(tenant_dsn, admin_dsn, 2) as found:
        micros = await latency(found, args.rounds, args.cycles)
    async with variants(tenant_dsn, admin_dsn, CONNECTIONS) as found:
        return Figures(micros, await throughput(found, max(5, args.rounds // 6), args.seconds))


def report(where: str, found: Figures) -> bool:
    peer = "asyncpg, unscoped"
    columns = ("us/cycle", "x asyncpg", "cycles/s", "x asyncpg", "client us", "server us")
    print(f"\n{where}\n{'':26}" + "".join(f"{column:>11}" for column in columns))
    for name, micros in found.latency.items():
        line = f"{name:26}{statistics.median(micros):11.1f}{found.times_as_long(name, peer):11.2f}"
        if rates := found.throughput.get(name):
            line += (
                f"{statistics.median(rate.per_second for rate in rates):11.0f}{found.times_as_many(name, peer):11.2f}"
            )
            line += f"{min(rate.client for rate in rates):11.1f}{min(rate.server for rate in rates):11.1f}"
        print(line)
    verdicts = []
    for name, other, limit in BUDGETS:
        ratio = found.times_as_long(name, other)
        verdicts.append((f"{name} / {other}: {ratio:.2f}, budget {limit}", ratio <= limit))
    gain = found.times_as_many("pipelined", peer)
    verdicts.append((f"throughput pipelined / {peer}: {gain:.2f}, budget 1.0", gain >= 1.0))
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
                figures[where] = asdict(found)
                held &= report(where, found)
    figures["scope_ns"] = scope_costs()
    print("\nscope, ns: " + ", ".join(f"{name} {value:.0f}" for name, value in scope_costs().items()))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=2)
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
