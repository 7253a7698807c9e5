"""Requests, streams, background tasks and WebSockets under uvicorn, each with its own tenant's rows."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
import websockets
from fastapi import BackgroundTasks, Depends, FastAPI, WebSocket
from starlette.responses import StreamingResponse

from interlock.tenancy import ScopeMissing, TenantPools, create_tenant_pools, current_org_id, tenant_scope
from interlock.web import TenantMiddleware

if TYPE_CHECKING:
    from conftest import TenantDatabase

NAMES = "SELECT name FROM items ORDER BY name"
OF_ORG = {"A": ["a1", "a2"], "B": ["b1"], "C": []}


@pytest.fixture
async def pools(tenant_database: TenantDatabase) -> AsyncIterator[TenantPools]:
    async with create_tenant_pools(*tenant_database.dsns, min_size=1, max_size=2) as pools:
        yield pools


@pytest.fixture
def app(pools: TenantPools) -> FastAPI:
    app = FastAPI()
    app.state.later = asyncio.Queue()
    app.state.refused = []

    async def names() -> list[str]:
        return [row["name"] for row in await pools.fetch(NAMES)]

    app.get("/async")(names)

    @app.get("/sync")
    def sync_endpoint() -> list[str]:
        # In a worker thread; the connections belong to the loop.
        return asyncio.run_coroutine_threadsafe(names_of(current_org_id()), app.state.loop).result(30)

    async def names_of(org: Any) -> list[str]:
        with tenant_scope(org):
            return await names()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def body() -> AsyncIterator[str]:
            async with pools.acquire() as connection, connection.transaction():
                async for row in connection.cursor(NAMES):
                    yield row["name"] + "\n"

        return StreamingResponse(body())

    @app.get("/stream-sync")
    async def stream_sync() -> StreamingResponse:
        found = await names()
        return StreamingResponse(f"{name} of {current_org_id()}\n" for name in found)

    @app.get("/endless")
    async def endless() -> StreamingResponse:
        async def body() -> AsyncIterator[str]:
            async with pools.acquire() as connection:
                while True:
                    for row in await connection.fetch(NAMES):
                        yield row["name"] + "\n"

        return StreamingResponse(body())

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> None:
        async def later() -> None:
            app.state.later.put_nowait((current_org_id(), await names()))

        tasks.add_task(later)

    def trap() -> Iterator[None]:
        with tenant_scope("A"):
            yield

    @app.get("/trapped", dependencies=[Depends(trap)])
    async def trapped() -> None:
        try:
            await names()
        except ScopeMissing as error:
            app.state.refused.append(str(error))
            raise

    @app.websocket("/ws")
    async def ws(websocket: WebSocket) -> None:
        await websocket.accept()
        async for _ in websocket.iter_text():
            await websocket.send_json(await names())

    app.add_middleware(TenantMiddleware, resolve=lambda connection: connection.headers.get("x-org"))
    return app


class Server(uvicorn.Server):
    """Tells when it can be asked."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()


@pytest.fixture
async def server(app: FastAPI) -> AsyncIterator[str]:
    app.state.loop = asyncio.get_running_loop()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        running = Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        serving = asyncio.create_task(running.serve(sockets=[listener]))
        await running.listens.wait()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        running.should_exit = True
        await serving


async def test_every_kind_of_answer_has_its_tenants_rows(server: str, app: FastAPI) -> None:
    async with httpx.AsyncClient(base_url=f"http://{server}", timeout=60) as client:

        async def ask(path: str, org: str) -> httpx.Response:
            return await client.get(path, headers={"x-org": org})

        orgs = ["A", "B", "C"] * 4
        for path in ("/async", "/sync"):
            answers = await asyncio.gather(*(ask(path, org) for org in orgs))
            assert [answer.json() for answer in answers] == [OF_ORG[org] for org in orgs]
        answers = await asyncio.gather(*(ask("/stream", org) for org in orgs))
        assert [answer.text.split() for answer in answers] == [OF_ORG[org] for org in orgs]
        answers = await asyncio.gather(*(ask("/stream-sync", org) for org in orgs))
        assert [answer.text.splitlines() for answer in answers] == [
            [f"{name} of {org}" for name in OF_ORG[org]] for org in orgs
        ]
        await asyncio.gather(*(ask("/background", org) for org in orgs))
        async with asyncio.timeout(60):
            later = [await app.state.later.get() for _ in orgs]
        assert sorted(later) == sorted((org, OF_ORG[org]) for org in orgs)


async def test_a_sync_yield_dependency_is_refused_and_says_why(server: str, app: FastAPI, pools: TenantPools) -> None:
    before = pools.stats()
    async with httpx.AsyncClient(base_url=f"http://{server}", timeout=60) as client:
        assert (await client.get("/trapped")).status_code == 500
    assert "sync `yield` dependency" in app.state.refused[0]
    assert pools.stats() == before


async def test_websockets_of_several_tenants_at_once(server: str) -> None:
    async def talk(org: str) -> None:
        async with websockets.connect(f"ws://{server}/ws", additional_headers={"x-org": org}) as connection:
            for _ in range(3):
                await connection.send("again")
                assert await connection.recv() == str(OF_ORG[org]).replace("'", '"').replace(", ", ",")

    await asyncio.gather(*(talk(org) for org in ["A", "B", "C"] * 3))


async def test_a_client_that_leaves_a_stream_gives_its_connection_back(server: str, pools: TenantPools) -> None:
    host, port = server.split(":")
    for org in ["A", "B", "A"]:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /endless HTTP/1.1\r\nhost: x\r\nx-org: {org}\r\n\r\n".encode())
        answer = await reader.readuntil(f"{OF_ORG[org][-1]}\n".encode())
        assert not any(name.encode() in answer for other, names in OF_ORG.items() if other != org for name in names)
        writer.transport.abort()
    with tenant_scope("B"):
        async with asyncio.timeout(60), pools.acquire() as one, pools.acquire() as another:
            for connection in (one, another):
                assert [row["name"] for row in await connection.fetch(NAMES)] == OF_ORG["B"]
