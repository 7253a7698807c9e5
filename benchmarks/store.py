"""ApprovalStore.propose beside procrastinate's ``queueing_lock`` and pgqueuer's ``dedupe_key`` on one server.

    python benchmarks/store.py [--calls 500] [--rounds 3] [--rows 10000 100000 1000000] [--processes 1 2 4 8]

Needs procrastinate and pgqueuer for the comparison. Every call has a key of its own ("new") or one that is taken
("again", where the peers raise or skip, and we return the row). The variants take turns within a round. Durability is
the same for all. procrastinate and we use a pool of one connection; pgqueuer is judged on a connection of its own, its
quickest way, and shown through a pool as well, and with the row that is taken selected, as we return it. "cpu" is what
a call takes of the client and of the server's processes for it: it depends less on what else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path
from typing import Any

import asyncpg

from interlock.dedup import ApprovalStore, Proposal, store_rows
from interlock.schema import migrate
from interlock.tenancy import TenantPools, create_tenant_pools, tenant_scope
from interlock.testing import EmbeddedPostgres
from interlock.testing.roles import Roles

ROLES = Roles()
BATCHES = (1, 100, 1000)
Insert = Callable[[str], Awaitable[object]]


async def prepared(server: EmbeddedPostgres) -> tuple[str, str]:
    """Create our database, and return the addresses of its two roles."""
    for statement in ROLES.create_statements():
        server.execute(statement)
    server.create_database("ours")
    server.execute(f'ALTER DATABASE ours OWNER TO "{ROLES.owner}"')
    owner = await asyncpg.connect(server.dsn(ROLES.owner, "ours"))
    await migrate(owner, tenant_role=ROLES.app, admin_role=ROLES.admin)
    await owner.close()
    return server.dsn(ROLES.app, "ours"), server.dsn(ROLES.admin, "ours")


@asynccontextmanager
async def our_store(dsns: tuple[str, str]) -> AsyncIterator[tuple[TenantPools, ApprovalStore]]:
    async with create_tenant_pools(*dsns, min_size=1, max_size=1) as pools:
        with tenant_scope("bench"):
            yield pools, ApprovalStore(pools, lease=3600)


@asynccontextmanager
async def procrastinate_insert(server: EmbeddedPostgres) -> AsyncIterator[Insert]:
    import procrastinate

    server.create_database("procrastinate")
    connector = procrastinate.PsycopgConnector(
        conninfo=server.dsn("postgres", "procrastinate"), min_size=1, max_size=1
    )
    app = procrastinate.App(connector=connector)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()

        async def insert(key: str) -> None:
            try:
                await app.configure_task("run", queueing_lock=key).defer_async(command=key)
            except procrastinate.exceptions.AlreadyEnqueued:
                return

        yield insert


TAKEN = "SELECT * FROM pgqueuer WHERE dedupe_key = $1 AND status IN ('queued', 'picked')"


@asynccontextmanager
async def pgqueuer_inserts(server: EmbeddedPostgres) -> AsyncIterator[dict[str, Insert]]:
    from pgqueuer.queries import Queries

    server.create_database("pgqueuer")
    dsn = server.dsn("postgres", "pgqueuer")
    connection = await asyncpg.connect(dsn)
    alone = Queries.from_asyncpg_connection(connection)
    await alone.install()
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        pooled = Queries.from_asyncpg_pool(pool)

        async def insert(key: str, queries: Any = alone) -> list[Any]:
            return await queries.enqueue("run", key.encode(), dedupe_key=key, on_conflict="skip")

        async def and_select(key: str) -> object:
            (id,) = await insert(key)
            return id or await connection.fetchrow(TAKEN, key)

        name = f"pgqueuer {version('pgqueuer')}"
        yield {name: insert, f"{name}, pool": lambda key: insert(key, pooled), f"{name}, and select": and_select}
    await connection.close()


def propose(store: ApprovalStore) -> Insert:
    return lambda key: store.propose(Proposal.shell(f"docker stop {key}"))


SERVING = "SELECT pid FROM pg_stat_activity WHERE client_port IS NOT NULL AND pid <> pg_backend_pid()"


async def on_the_server(watcher: asyncpg.Connection) -> float:
    """Seconds of CPU that the sessions of other clients took so far."""
    return sum(cpu_of(row["pid"]) for row in await watcher.fetch(SERVING))


def cpu_of(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


async def rate(insert: Insert, keys: list[str]) -> float:
    began = time.perf_counter()
    for key in keys:
        await insert(key)
    return len(keys) / (time.perf_counter() - began)


def keys(count: int) -> list[str]:
    return [uuid.uuid4().hex for _ in range(count)]


@dataclass
class Sample:
    """What one call took, in seconds."""

    wall: float
    client: float
    server: float


async def sample(insert: Insert, keys: list[str], watcher: asyncpg.Connection) -> Sample:
    server, client = await on_the_server(watcher), time.process_time()
    wall = 1 / await rate(insert, keys)
    client = (time.process_time() - client) / len(keys)
    return Sample(wall, client, (await on_the_server(watcher) - server) / len(keys))


async def compare(server: EmbeddedPostgres, store: ApprovalStore, calls: int, rounds: int) -> None:
    async with AsyncExitStack() as stack:
        watcher = await asyncpg.connect(server.dsn("postgres", "postgres"))
        stack.push_async_callback(watcher.close)
        variants: dict[str, Insert] = {"interlock": propose(store)}
        judged = set()
        try:
            insert = await stack.enter_async_context(procrastinate_insert(server))
            variants |= {(name := f"procrastinate {version('procrastinate')}"): insert}
            judged.add(name)
        except ImportError as error:
            print(f"procrastinate is not compared: {error}")
        try:
            inserts = await stack.enter_async_context(pgqueuer_inserts(server))
            variants |= inserts
            judged.add(next(iter(inserts)))
        except ImportError as error:
            print(f"pgqueuer is not compared: {error}")
        samples: dict[tuple[str, str], list[Sample]] = {}
        for _ in range(rounds):
            for name, insert in variants.items():
                fresh = keys(calls)
                for what in ("new", "again"):
                    samples.setdefault((name, what), []).append(await sample(insert, fresh, watcher))

    def median(name: str, what: str, of: Callable[[Sample], float]) -> float:
        return statistics.median(map(of, samples[name, what]))

    for what in ("new", "again"):
        ours = median("interlock", what, lambda sample: sample.wall)
        for name in variants:
            wall, client, server_cpu = (
                median(name, what, attrgetter(field)) for field in ("wall", "client", "server")
            )
            verdict = ("ok" if wall >= ours else "MISSED") if name in judged else "not judged"
            ratio = "" if name == "interlock" else f"   interlock / peer = {wall / ours:.2f} (budget 1.0): {verdict}"
            cpu = f"cpu {client * 1e6:5.0f} + {server_cpu * 1e6:4.0f} µs"
            print(f"{name:26} {what:6} {1 / wall:6.0f} /s  {cpu}{ratio}")


async def batches(store: ApprovalStore, calls: int) -> None:
    for size in BATCHES:
        count = max(1, calls // size)
        proposals = [[Proposal.shell(f"docker stop {key}") for key in keys(size)] for _ in range(count)]
        began = time.perf_counter()
        for batch in proposals:
            await store.propose_many(batch)
        print(f"propose_many of {size:5}: {size * count / (time.perf_counter() - began):8.0f} proposals/s")


FILL = """
INSERT INTO interlock.proposals (org_id, kind, content_hash, cmd_hash, lease_until, canon_version)
SELECT 'bench', 'shell', sha256(('filler' || n)::bytea), 'filler', now() + interval '1 day', 1
FROM generate_series($1::int, $2::int) AS n
"""


HEAP_ONLY = """
SELECT 100.0 * n_tup_hot_upd / greatest(n_tup_upd, 1)
FROM pg_stat_user_tables WHERE schemaname = 'interlock' AND relname = 'proposals'
"""


async def pages(pools: TenantPools, fresh: list[str]) -> float:
    """Pages that one proposal touches: unlike its time, they do not depend on how busy the machine is."""
    touched = []
    for key in fresh:
        arguments = store_rows.arguments_of(Proposal.shell(f"docker stop {key}"), None, None)
        explain = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)" + store_rows.Propose.ONE.value
        (answer,) = await pools.fetch(explain, "bench", *arguments, timedelta(hours=1), None, 100)
        plan = json.loads(answer[0])[0]["Plan"]
        touched.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    return statistics.median(touched)


async def against_rows(
    dsns: tuple[str, str], pools: TenantPools, store: ApprovalStore, sizes: list[int], calls: int
) -> None:
    """Neither throughput nor pages may grow with the number of rows in flight, beyond the height of the indexes."""
    tenant = await asyncpg.connect(dsns[0], server_settings={"app.current_org_id": "bench"})
    admin = await asyncpg.connect(dsns[1])
    filled = 0
    for size in sizes:
        await tenant.execute(FILL, filled + 1, size, timeout=3600)
        filled = size
        fresh, looked_at = keys(calls), keys(21)
        new, again = await rate(propose(store), fresh), await rate(propose(store), fresh)
        new_pages, again_pages = await pages(pools, looked_at), await pages(pools, looked_at)
        print(
            f"{size:>10,} rows in flight: new {new:6.0f} /s, {new_pages:.0f} pages each; "
            f"again {again:6.0f} /s, {again_pages:.0f} pages each",
            flush=True,
        )
    print(f"heap-only updates: {await admin.fetchval(HEAP_ONLY):.1f} %")
    await tenant.close()
    await admin.close()


def one_process(dsns: tuple[str, str], calls: int, start: Any, rates: Any) -> None:
    async def run() -> None:
        async with our_store(dsns) as (_, store):
            await store.propose(Proposal.shell("warm up"))
            start.wait()
            rates.put(await rate(propose(store), keys(calls)))

    asyncio.run(run())


def against_processes(dsns: tuple[str, str], counts: list[int], calls: int) -> None:
    spawn = multiprocessing.get_context("spawn")
    for count in counts:
        start, rates = spawn.Barrier(count), spawn.Queue()
        workers = [spawn.Process(target=one_process, args=(dsns, calls, start, rates)) for _ in range(count)]
        for worker in workers:
            worker.start()
        total = sum(rates.get(timeout=300) for _ in workers)
        for worker in workers:
            worker.join()
        print(f"{count:>10} processes: new {total:7.0f} /s together")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2, 4, 8])
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, CPython {platform.python_version()}")
    # Durability off for all: the disk of the machine is not what is compared.
    with EmbeddedPostgres() as server:
        dsns = await prepared(server)
        print(f"PostgreSQL {server.version}")
        async with our_store(dsns) as (pools, store):
            await compare(server, store, options.calls, options.rounds)
            await batches(store, 2 * options.calls)
            await against_rows(dsns, pools, store, options.rows, options.calls)
        await asyncio.to_thread(against_processes, dsns, options.processes, options.calls)


if __name__ == "__main__":
    asyncio.run(main())
