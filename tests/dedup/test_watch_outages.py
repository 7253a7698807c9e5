"""Watching over a server that restarts, and over a network that cuts or swallows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import asyncpg
import pytest

from interlock.dedup import ApprovalStore, DedupDecision, Proposal
from interlock.errors import StoreConnectionLost
from interlock.schema import migrate
from interlock.tenancy import create_tenant_pools, tenant_scope
from interlock.testing import EmbeddedPostgres
from interlock.testing.roles import Roles

ROLES = Roles()
STOP, START = Proposal.shell("docker stop web"), Proposal.shell("docker start web")


class Relay:
    """Passes a server's bytes on until told to cut the connections, or to swallow what it reads."""

    def __init__(self) -> None:
        self.swallows = False
        self._writers: list[asyncio.StreamWriter] = []
        self._copies: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def close(self) -> None:
        self.cut()
        await asyncio.gather(*self._copies, return_exceptions=True)

    @asynccontextmanager
    async def to(self, port: int) -> AsyncIterator[int]:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", port)
            self._writers += [writer, to_server]
            for source, sink in ((reader, to_server), (from_server, writer)):
                self._copies.add(asyncio.create_task(self._copy(source, sink)))

        relay = await asyncio.start_server(connected, "127.0.0.1", 0)
        try:
            yield relay.sockets[0].getsockname()[1]
        finally:
            relay.close()
            await self.close()

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                if not self.swallows:
                    sink.write(data)
        except ConnectionError:
            pass
        sink.transport.abort()


@pytest.fixture(scope="module")
def server():
    with EmbeddedPostgres(settings={"listen_addresses": "127.0.0.1"}) as server:
        for statement in ROLES.create_statements():
            server.execute(statement)
        yield server


@pytest.fixture
async def dsn(server, request) -> Callable[..., str]:
    name = f"watched_{abs(hash(request.node.name)):x}"
    server.create_database(name)
    server.execute(f'ALTER DATABASE {name} OWNER TO "{ROLES.owner}"')
    owner = await asyncpg.connect(server.dsn(ROLES.owner, name))
    await migrate(owner, tenant_role=ROLES.app, admin_role=ROLES.admin)
    await owner.close()
    return lambda role, **where: server.dsn(role, name, **where)


async def insist(propose: Callable[[], Awaitable[DedupDecision]]) -> Any:
    while True:
        try:
            return (await propose()).stored
        except StoreConnectionLost:
            await asyncio.sleep(0.05)


async def test_a_restart_of_the_server_loses_no_change(server, dsn):
    async with create_tenant_pools(dsn(ROLES.app), dsn(ROLES.admin), min_size=1, max_size=2) as pools:
        store = ApprovalStore(pools, lease=60)
        with tenant_scope("a"):
            async with aclosing(store.watch(every=600)) as watch:
                news = asyncio.ensure_future(anext(watch))
                first = await insist(lambda: store.propose(STOP))
                assert (await news).id == first.id
                news = asyncio.ensure_future(anext(watch))
                await asyncio.to_thread(server.restart)
                second = await insist(lambda: store.propose(START))
                assert (await news).id == second.id


@pytest.mark.parametrize("swallows", [False, True])
async def test_a_listener_that_is_cut_off_loses_no_change(server, dsn, swallows):
    """Cut, it listens again and looks; swallowed without a word, it looks at its own interval."""
    relay = Relay()
    every = 0.2 if swallows else 600
    async with (
        relay.to(server.port) as port,
        create_tenant_pools(
            dsn(ROLES.app),
            dsn(ROLES.admin, host="127.0.0.1").replace(str(server.port), str(port)),
            min_size=1,
            max_size=2,
        ) as pools,
    ):
        store = ApprovalStore(pools, lease=60)
        with tenant_scope("a"):
            async with aclosing(store.watch(every=every)) as watch:
                news = asyncio.ensure_future(anext(watch))
                first = (await store.propose(STOP)).stored
                assert (await news).id == first.id
                relay.swallows = swallows
                if not swallows:
                    relay.cut()
                second = (await store.propose(START)).stored
                assert (await anext(watch)).id == second.id
        relay.cut()
        await pools.close()
