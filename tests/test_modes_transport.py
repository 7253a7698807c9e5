"""The pipelined mode over every transport, and through a proxy that cuts and splits the stream where it hurts."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from interlock.schema import migrate
from interlock.tenancy import TenantPools, create_tenant_pools, tenant_scope
from interlock.testing import EmbeddedPostgres
from interlock.testing.postgres import run_in_thread
from interlock.testing.roles import Roles

if TYPE_CHECKING:
    from conftest import TenantDatabase

ORG = "SELECT current_setting('app.current_org_id', true)"
ROLES = Roles()
NOBODY = 65534


async def _exercise(dsns: tuple[str, str], mode: str, **options: object) -> None:
    """Every kind of use, for two orgs in turn on one session."""
    async with create_tenant_pools(*dsns, min_size=0, max_size=1, mode=mode, **options) as pools:
        for org in "ABAB":
            with tenant_scope(org):
                await _use(pools, org)
        stats = pools.stats()
        assert (stats.mode, stats.resets_failed, stats.preludes_failed) == (mode, 0, 0)


async def _use(pools: TenantPools, org: str) -> None:
    async with pools.acquire() as connection:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.fetchval("SELECT 1 / 0")
        assert await connection.fetchval(ORG) == org
    async with pools.acquire() as connection:
        await connection.executemany("SELECT $1::int", [(1,), (2,)])
    async with pools.acquire() as connection:
        output = io.BytesIO()
        await connection.copy_from_query("SELECT generate_series(1, 1000)", output=output)
        assert output.getvalue().count(b"\n") == 1000
    async with pools.transaction() as connection:
        rows = [row async for row in connection.cursor("SELECT generate_series(1, 120)")]
        assert len(rows) == 120
    async with pools.acquire():
        pass
    too_long_for_one_packet = f"SELECT length('{'x' * 300_000}')"
    assert await pools.fetchval(too_long_for_one_packet) == 300_000
    assert await pools.fetchval(ORG) == org


@pytest.fixture(scope="module")
def listening() -> Iterator[EmbeddedPostgres]:
    """A server that is also reachable over TCP and, where OpenSSL's program is found, over TLS."""
    with EmbeddedPostgres(settings={"listen_addresses": "127.0.0.1"}) as server:
        for statement in ROLES.create_statements():
            server.execute(statement)
        server.create_database("transport")
        server.execute(f'ALTER DATABASE transport OWNER TO "{ROLES.owner}"')
        run_in_thread(_migrate(server.dsn(ROLES.owner, "transport")))
        yield server


async def _migrate(dsn: str) -> None:
    owner = await asyncpg.connect(dsn)
    await migrate(owner, tenant_role=ROLES.app, admin_role=ROLES.admin)
    await owner.close()


def _dsns(server: EmbeddedPostgres, host: str | None) -> tuple[str, str]:
    return server.dsn(ROLES.app, "transport", host=host), server.dsn(ROLES.admin, "transport", host=host)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("host", [None, "127.0.0.1"], ids=["socket", "tcp"])
@pytest.mark.parametrize("mode", ["merged", "pipelined"])
def test_every_loop_and_transport(listening: EmbeddedPostgres, loop: str, host: str | None, mode: str) -> None:
    factory = None
    if loop == "uvloop":
        factory = pytest.importorskip("uvloop", reason="uvloop is not installed").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_exercise(_dsns(listening, host), mode))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_over_tls(listening: EmbeddedPostgres, loop: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("the program openssl, which makes the certificate, is not installed")
    folder = Path(parse_qs(urlsplit(listening.dsn()).query)["host"][0])
    certificate, key = folder / "data" / "server.crt", folder / "data" / "server.key"
    if not key.exists():
        request = [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
        subprocess.run([*request, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
        key.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(key, NOBODY, NOBODY)
            os.chown(certificate, NOBODY, NOBODY)
    try:
        listening.execute("ALTER SYSTEM SET ssl = on")
    except asyncpg.PostgresError:
        pytest.skip("this server was built without TLS")
    listening.execute("SELECT pg_reload_conf()")
    _wait_for_tls(listening)
    factory = None
    if loop == "uvloop":
        factory = pytest.importorskip("uvloop", reason="uvloop is not installed").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_exercise(_dsns(listening, "127.0.0.1"), "pipelined", ssl="require"))


def _wait_for_tls(server: EmbeddedPostgres) -> None:
    """The server takes new settings up when it comes to it; only sessions that begin after that have them."""

    async def setting() -> object:
        connection = await asyncpg.connect(server.dsn())
        try:
            return await connection.fetchval("SHOW ssl")
        finally:
            await connection.close()

    for _ in range(500):
        if asyncio.run(setting()) == "on":
            return
        time.sleep(0.02)
    pytest.fail("the server does not take TLS up")


# --- a proxy that decides what arrives when


class Proxy:
    """Passes on what the client sends up to a number of bytes, and what the server sends in small pieces."""

    def __init__(self, piece: int = 65536) -> None:
        self._piece = piece
        self._left: int | None = None
        self._clients: list[asyncio.StreamWriter] = []
        self.port = 0

    def cut_after(self, count: int) -> None:
        """Break the connection once the client has sent ``count`` bytes more."""
        self._left = count

    @asynccontextmanager
    async def running(self, path: str) -> AsyncIterator[Proxy]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            upstream, sink = await asyncio.open_unix_connection(path)
            self._clients += (writer, sink)
            await asyncio.gather(self._forward(reader, sink, writer), self._backward(upstream, writer))

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in self._clients:
                writer.transport.abort()

    async def _forward(
        self, reader: asyncio.StreamReader, sink: asyncio.StreamWriter, client: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self._left is not None and len(data) > self._left:
                    sink.write(data[: self._left])
                    await sink.drain()
                    self._left = None
                    client.transport.abort()
                    break
                if self._left is not None:
                    self._left -= len(data)
                sink.write(data)
        sink.close()

    async def _backward(self, reader: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(self._piece):
                sink.write(data)
                await sink.drain()
        sink.transport.abort()


def _through(proxy: Proxy, database: str) -> tuple[str, str]:
    address = f"postgresql://{{}}@127.0.0.1:{proxy.port}/{database}"
    return address.format(ROLES.app), address.format(ROLES.admin)


def _socket(server: EmbeddedPostgres) -> str:
    return f"{parse_qs(urlsplit(server.dsn()).query)['host'][0]}/.s.PGSQL.{server.port}"


@pytest.mark.parametrize("piece", [1, 3, 13])
async def test_answers_that_arrive_in_pieces(listening: EmbeddedPostgres, piece: int) -> None:
    async with Proxy(piece).running(_socket(listening)) as proxy:
        await _exercise(_through(proxy, "transport"), "pipelined")


WRITES: dict[str, Callable[[TenantPools], Awaitable[object]]] = {
    "extended": lambda pools: pools.execute("INSERT INTO items VALUES ($1, 'cut')", "B"),
    "simple": lambda pools: pools.execute("UPDATE items SET name = 'cut'"),
}


@pytest.mark.parametrize("write", WRITES)
async def test_a_connection_cut_anywhere_writes_as_its_own_org_or_not_at_all(
    postgres_cluster: EmbeddedPostgres, tenant_database: TenantDatabase, write: str
) -> None:
    truth = await asyncpg.connect(tenant_database.superuser_dsn)
    of_a = "SELECT name FROM items WHERE org_id = 'A' ORDER BY name"
    async with Proxy().running(_socket(postgres_cluster)) as proxy:
        dsns = _through(proxy, tenant_database.name)
        async with create_tenant_pools(*dsns, min_size=0, max_size=1, mode="pipelined") as pools:
            for cut in range(0, 420, 20):
                with tenant_scope("A"):
                    await _eventually(lambda: pools.fetch("SELECT name FROM items"))
                proxy.cut_after(cut)
                with tenant_scope("B"), contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                    await WRITES[write](pools)
                assert [row["name"] for row in await truth.fetch(of_a)] == ["a1", "a2"], cut
                proxy.cut_after(1_000_000)
    await truth.close()


async def _eventually(use: Callable[[], Awaitable[object]]) -> None:
    for attempt in range(3):
        try:
            await use()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            assert attempt < 2
        else:
            return
