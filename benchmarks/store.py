"""ApprovalStore.propose beside procrastinate's ``queueing_lock`` and pgqueuer's ``dedupe_key`` on one server.

    python benchmarks/store.py [--calls 500] [--rounds 3] [--rows 10000 100000 1000000] [--processes 1 2 4 8]

Needs procrastinate and pgqueuer for the comparison. Every call has a key of its own ("new") or one that is taken
("again", where the peers raise or skip, and we return the row). The variants take turns within a round.
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
from datetime import timedelta
from importlib.metadata import version
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


@asynccontextmanager
async def pgqueuer_insert(server: EmbeddedPostgres) -> AsyncIterator[Insert]:
    from pgqueuer.queries import Queries

    server.create_database("pgqueuer")
    connection = await asyncpg.connect(server.dsn("postgres", "pgqueuer"))
    queries = Queries.from_asyncpg_connection(connection)
    await queries.install()

    async def insert(key: str) -> object:
        return await queries.enqueue("run", key.encode(), dedupe_key=key, on_conflict="skip")

    yield insert
    await connection.close()


def propose(store: ApprovalStore) -> Insert:
    return lambda key: store.propose(Proposal.shell(f"docker stop {key}"))


async def rate(insert: Insert, keys: list[str]) -> float:
    began = time.perf_counter()
    for key in keys:
        await insert(key)
    return len(keys) / (time.perf_counter() - began)


def keys(count: int) -> list[str]:
    return [uuid.uuid4().hex for _ in range(count)]


async def compare(server: EmbeddedPostgres, store: ApprovalStore, calls: int, rounds: int) -> None:
    async with AsyncExitStack() as stack:
        variants: dict[str, Insert] = {"interlock": propose(store)}
        for name, opened in (("procrastinate", procrastinate_insert), ("pgqueuer", pgqueuer_insert)):
            try:
                variants[f"{name} {version(name)}"] = await stack.enter_async_context(opened(server))
            except ImportError as error:
                print(f"{name} is not compared: {error}")
        rates: dict[tuple[str, str], list[float]] = {}
        for _ in range(rounds):
            for name, insert in variants.items():
                fresh = keys(calls)
                rates.setdefault((name, "new"), []).append(await rate(insert, fresh))
                rates.setdefault((name, "again"), []).append(await rate(insert, fresh))
    for name in variants:
        for what in ("new", "again"):
            ours, theirs = (statistics.median(rates[who, what]) for who in ("interlock", name))
            ratio = "" if name == "interlock" else f"   interlock / peer = {ours / theirs:.2f} (budget 1.0)"
            print(f"{name:24} {what:6} {theirs:8.0f} /s{ratio}")


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
    admin = await asyncpg.connect(dsns[1])
    filled = 0
    for size in sizes:
        await admin.execute(FILL, filled + 1, size, timeout=3600)
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
