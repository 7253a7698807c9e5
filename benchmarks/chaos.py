"""Many tenants on few connections while everything around them breaks.

    python benchmarks/chaos.py [--seconds 300] [--tasks 500] [--orgs 50] [--mode auto]

Tasks are cancelled at random points, statements time out, sessions are left with locks, roles, prepared statements and
open transactions, backends are terminated, connections are cut by a proxy, and the server is restarted. At the end: no
row of another org was seen or written, no slot of a pool is lost, no checkout is stuck, and memory has not grown.

Memory is the resident size with glibc's threshold for mmap held at its initial 128 KiB, see ``_hold_mmap_threshold``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import gc
import itertools
import platform
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import asyncpg
import psutil

from interlock.schema import migrate
from interlock.tenancy import TenantConnection, TenantPools, create_tenant_pools, tenant_scope
from interlock.testing import EmbeddedPostgres
from interlock.testing.roles import Roles

ROLES = Roles()
DATABASE = "chaos"
# Far beyond what a checkout takes while other work slows the machine down.
STUCK_SECONDS = 120
EXPECTED = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

SCHEMA = """
CREATE TABLE items (org_id text NOT NULL, writer text NOT NULL);
ALTER TABLE items ENABLE ROW LEVEL SECURITY;
ALTER TABLE items FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON items
    USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')));
GRANT SELECT, INSERT, UPDATE, DELETE ON items TO interlock_app, interlock_admin;
"""


@dataclass
class Outcome:
    """What happened, and what must not have."""

    tried: int = 0
    done: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    foreign: list[str] = field(default_factory=list)
    stuck: int = 0
    uncancelled: int = 0
    misfiled: int = -1
    slots_lost: int = -1
    memory: list[tuple[float, int]] = field(default_factory=list)
    stats: object = None
    _tried: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def growth(self) -> float:
        """Resident memory at the end over that after the first fifth."""
        settled = self.memory[len(self.memory) // 5][1]
        return self.memory[-1][1] / settled

    @property
    def ok(self) -> bool:
        wrong = self.foreign or self.stuck or self.uncancelled or self.misfiled or self.slots_lost
        return not wrong and self.done > 0

    async def tries(self, more: int) -> None:
        """Wait for that many checkouts more, good or bad: what is broken keeps pace with what is done."""
        goal = self.tried + more
        while self.tried < goal:
            await self._tried.wait()

    def try_one(self) -> None:
        """Count a checkout that begins."""
        self.tried += 1
        self._tried.set()
        self._tried = asyncio.Event()


class Proxy:
    """Passes bytes between clients and the server's socket until it is told to cut."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in list(self._open):
                writer.transport.abort()

    def cut(self, how_many: int) -> None:
        """Break connections, wherever in a message they are."""
        for writer in random.sample(sorted(self._open, key=id), min(how_many, len(self._open))):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream, sink = await asyncio.open_unix_connection(self._path)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, sink}
        try:
            await asyncio.gather(self._pump(reader, sink), self._pump(upstream, writer))
        finally:
            self._open -= {writer, sink}

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(random.choice((1, 7, 64, 65536))):
                sink.write(data)
                await sink.drain()
        sink.transport.abort()


async def _read(connection: TenantConnection, org: str) -> None:
    rows = await connection.fetch("SELECT org_id FROM items")
    if foreign := {row["org_id"] for row in rows} - {org}:
        raise AssertionError(f"{org} saw {foreign}")


async def _write(connection: TenantConnection, org: str) -> None:
    await connection.execute("INSERT INTO items VALUES ($1, $1)", org)


async def _rewrite(connection: TenantConnection, org: str) -> None:
    await connection.execute("UPDATE items SET writer = $1", org)


async def _remove(connection: TenantConnection, org: str) -> None:
    await connection.execute(f"DELETE FROM items WHERE writer = '{org}'")


async def _in_transaction(connection: TenantConnection, org: str) -> None:
    async with connection.transaction():
        await _write(connection, org)
        await _read(connection, org)


def _leave(statement: str) -> Callable[[TenantConnection, str], Awaitable[None]]:
    async def leave(connection: TenantConnection, org: str) -> None:
        await connection.execute(statement)

    return leave


OPERATIONS = [*[_read] * 8, *[_write, _rewrite, _remove] * 2, *[_in_transaction] * 3]

# The last thing a checkout does, for the next one to trip over.
LEFT_BEHIND = [
    "SET statement_timeout = '1ms'",
    "SELECT pg_advisory_lock(1)",
    "SELECT 1 / 0",
    "PREPARE p AS SELECT 1",
    "CREATE TEMP TABLE items AS SELECT 'trap' AS org_id, 'trap' AS writer",
    "SET search_path = pg_temp",
    "SELECT pg_sleep(0.02)",
    "LISTEN news",
    "BEGIN",
    *["SELECT 1"] * 8,
]


async def _work(pools: TenantPools, org: str, outcome: Outcome) -> None:
    outcome.try_one()
    with tenant_scope(org):
        try:
            async with asyncio.timeout(STUCK_SECONDS) as limit, pools.acquire() as connection:
                for operation in random.choices(OPERATIONS, k=random.randrange(4)):
                    await operation(connection, org)
                await connection.execute(random.choice(LEFT_BEHIND))
            outcome.done += 1
        except AssertionError as error:
            outcome.foreign.append(str(error))
        except EXPECTED as error:
            outcome.stuck += limit.expired()
            outcome.errors[type(error).__name__] += 1


async def _tenant(pools: TenantPools, orgs: list[str], outcome: Outcome) -> None:
    task = asyncio.current_task()
    while task is not None:
        await _work(pools, random.choice(orgs), outcome)
        if task.cancelling():
            # Another error went over the cancellation.
            outcome.uncancelled += 1
            break
        await asyncio.sleep(random.random() / 20)


async def _cancel(tasks: list[asyncio.Task[None]], spawn: Callable[[], asyncio.Task[None]], outcome: Outcome) -> None:
    while True:
        await outcome.tries(3)
        place = random.randrange(len(tasks))
        tasks[place].cancel()
        tasks[place] = spawn()


async def _terminate(server: EmbeddedPostgres, outcome: Outcome) -> None:
    while True:
        await outcome.tries(80)
        with contextlib.suppress(*EXPECTED):
            connection = await asyncpg.connect(server.dsn(database=DATABASE))
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'interlock_app' "
                "ORDER BY random() LIMIT 1"
            )
            await connection.close()


async def _cut(proxy: Proxy, outcome: Outcome) -> None:
    while True:
        await outcome.tries(100)
        proxy.cut(1)


async def _sample(outcome: Outcome, seconds: float) -> None:
    start = time.monotonic()
    while True:
        gc.collect()
        outcome.memory.append((time.monotonic() - start, psutil.Process().memory_info().rss))
        await asyncio.sleep(max(seconds, 5) / 50)


async def run(
    server: EmbeddedPostgres, *, seconds: float, tasks: int, orgs: int, mode: str, checkouts: int = 1
) -> Outcome:
    """Prepare a database on ``server``, let everything happen, then look what is left.

    It ends when ``seconds`` have passed and ``checkouts`` went well, each half of both before and after the restart
    of the server.
    """
    await _prepare(server)
    outcome = Outcome()
    names = [f"org-{number}" for number in range(orgs)]
    socket = f"{parse_qs(urlsplit(server.dsn()).query)['host'][0]}/.s.PGSQL.{server.port}"
    async with Proxy(socket).running() as proxy:
        dsns = [f"postgresql://{role}@127.0.0.1:{proxy.port}/{DATABASE}" for role in (ROLES.app, ROLES.admin)]
        # Leaving a transaction open is one of the things that happen here; asyncpg reports it to the loop.
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        async with create_tenant_pools(*dsns, min_size=1, max_size=4, mode=mode, timeout=10) as pools:
            await _disturbed(server, proxy, pools, names, outcome, seconds, tasks, checkouts)
            outcome.slots_lost = await _lost_slots(pools, names)
            outcome.stats = pools.stats()
    admin = await asyncpg.connect(server.dsn(database=DATABASE))
    outcome.misfiled = await admin.fetchval("SELECT count(*) FROM items WHERE org_id <> writer")
    await admin.close()
    return outcome


async def _disturbed(
    server: EmbeddedPostgres,
    proxy: Proxy,
    pools: TenantPools,
    names: list[str],
    outcome: Outcome,
    seconds: float,
    tasks: int,
    checkouts: int,
) -> None:
    def spawn() -> asyncio.Task[None]:
        return asyncio.create_task(_tenant(pools, names, outcome))

    tenants = [spawn() for _ in range(tasks)]
    disturbances = [
        asyncio.create_task(_cancel(tenants, spawn, outcome)),
        asyncio.create_task(_terminate(server, outcome)),
        asyncio.create_task(_cut(proxy, outcome)),
        asyncio.create_task(_sample(outcome, seconds)),
    ]
    for half in (1, 2):
        await asyncio.sleep(seconds / 2)
        while outcome.done < checkouts * half / 2:
            await outcome.tries(1)
        if half == 1:
            await asyncio.to_thread(server.restart)
    for task in itertools.chain(disturbances, tenants):
        task.cancel()
    await asyncio.gather(*disturbances, *tenants, return_exceptions=True)


async def _lost_slots(pools: TenantPools, names: list[str]) -> int:
    """How many connections fewer than the maximum can be had at the same time."""
    had = 0
    async with contextlib.AsyncExitStack() as stack:
        for org in names[:4]:
            for _ in range(10):  # each session lost unnoticed may tell of itself once
                with contextlib.suppress(*EXPECTED), tenant_scope(org):
                    connection = await pools.acquire(timeout=STUCK_SECONDS)
                    stack.push_async_callback(pools.release, connection)
                    if await connection.fetchval("SELECT current_setting('app.current_org_id')") == org:
                        had += 1
                        break
    stats = pools.stats().tenant
    return 4 - had + abs(stats.idle - stats.size)


async def _prepare(server: EmbeddedPostgres) -> None:
    for statement in ROLES.create_statements():
        server.execute(statement)
    server.create_database(DATABASE)
    server.execute(f'ALTER DATABASE {DATABASE} OWNER TO "{ROLES.owner}"')
    owner = await asyncpg.connect(server.dsn(ROLES.owner, DATABASE))
    await migrate(owner, tenant_role=ROLES.app, admin_role=ROLES.admin)
    await owner.execute(SCHEMA)
    await owner.close()


def _hold_mmap_threshold() -> str:
    """Keep asyncio's receive buffers off the heap, and return what was done.

    asyncio reads into buffers of 256 KiB. glibc takes the first of them from mmap, and raises its threshold above
    their size once that is freed (mallopt(3), M_MMAP_THRESHOLD); all others then come from the heap and leave holes
    in it. The resident size grows while nothing that lives does, with bare asyncpg just as well.
    """
    threshold, size = -3, 128 * 1024
    if platform.libc_ver()[0] != "glibc":
        return "the allocator as it is"
    ctypes.CDLL(None).mallopt(threshold, size)
    return f"glibc's mmap threshold held at {size // 1024} KiB"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--orgs", type=int, default=50)
    parser.add_argument("--mode", default="auto")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    random.seed(args.seed)
    allocator = _hold_mmap_threshold()
    with EmbeddedPostgres() as server:
        print(
            f"{platform.platform()}, Python {platform.python_version()}, asyncpg {asyncpg.__version__}, "
            f"PostgreSQL {server.version}"
        )
        options = {"seconds": args.seconds, "tasks": args.tasks, "orgs": args.orgs, "mode": args.mode}
        outcome = asyncio.run(run(server, **options))
    print(f"checkouts that went well {outcome.done}, errors {dict(outcome.errors)}\n{outcome.stats}")
    print(f"foreign rows seen {len(outcome.foreign)}, rows written for another org {outcome.misfiled}")
    print(f"cancellations covered by another error {outcome.uncancelled}")
    print(f"checkouts stuck {outcome.stuck}, slots lost {outcome.slots_lost}")
    print(f"memory at the end {outcome.growth:.3f}x of after the first fifth, {allocator}")
    return 0 if outcome.ok and outcome.growth <= 1.05 else 1


if __name__ == "__main__":
    sys.exit(main())
