"""The scope of a request: middleware and dependencies, in process and under uvicorn."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import httpx
import pytest
import uvicorn
import websockets
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request, WebSocket, WebSocketException
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import Route

from interlock.errors import ScopeEnded, ScopeEscalation
from interlock.tenancy import (
    OrgId,
    current_org_id,
    current_scope,
    pre_org_resolution_scope,
    tenant_scope,
)
from interlock.web import TenantMiddleware, current_org

seen: list[Any] = []


def note(name: str) -> None:
    scope = current_scope()
    seen.append((name, None if scope is None else scope.org_id))


async def resolve(connection: HTTPConnection) -> OrgId | None:
    scope = current_scope()
    assert scope is not None
    assert scope.pre_resolution
    key = connection.headers.get("x-key")
    if key == "bad":
        raise HTTPException(401, "no such key", headers={"WWW-Authenticate": "Bearer"})
    return key


def build(*, middleware: bool = True) -> FastAPI:
    app = FastAPI()

    @app.get("/org")
    async def org(org_id: Annotated[OrgId, Depends(current_org)]) -> OrgId:
        return org_id

    @app.get("/sync")
    def sync_endpoint() -> OrgId | None:
        return current_org_id()

    @app.get("/anonymous")
    async def anonymous() -> str:
        return repr(current_scope())

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> str:
        async def later() -> None:
            await asyncio.sleep(0)
            note("async task")

        tasks.add_task(later)
        tasks.add_task(note, "sync task")
        return "ok"

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def body() -> AsyncIterator[str]:
            for _ in range(3):
                yield f"{current_org_id()} "
                await asyncio.sleep(0)

        return StreamingResponse(body())

    @app.get("/stream-sync")
    async def stream_sync() -> StreamingResponse:
        return StreamingResponse(f"{current_org_id()} " for _ in range(3))

    @app.get("/escalate")
    async def escalate() -> str:
        with pre_org_resolution_scope("sneaky"):
            return "escalated"

    @app.websocket("/ws")
    async def ws(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json(current_org_id())
        await websocket.receive_text()
        await websocket.send_json(current_org_id())
        await websocket.close()

    if middleware:
        app.add_middleware(TenantMiddleware, resolve=resolve)
    return app


def client_of(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


@pytest.fixture(autouse=True)
def forget() -> None:
    seen.clear()


async def get(app: Any, path: str, org: str | None = "A") -> httpx.Response:
    async with client_of(app) as client:
        return await client.get(path, headers={} if org is None else {"x-key": org})


@pytest.mark.parametrize("path", ["/org", "/sync"])
async def test_the_endpoint_runs_in_the_tenants_scope(path: str) -> None:
    assert (await get(build(), path)).json() == "A"


@pytest.mark.parametrize("path", ["/stream", "/stream-sync"])
async def test_the_streamed_body_runs_in_the_tenants_scope(path: str) -> None:
    assert (await get(build(), path)).text == "A A A "


async def test_background_tasks_run_in_the_tenants_scope() -> None:
    await get(build(), "/background")
    assert seen == [("async task", "A"), ("sync task", "A")]


async def test_no_tenant_means_no_scope() -> None:
    assert (await get(build(), "/anonymous", None)).json() == "None"
    assert (await get(build(), "/org", None)).status_code == 401


async def test_a_refusal_of_the_resolver_is_rendered() -> None:
    response = await get(build(), "/org", "bad")
    assert (response.status_code, response.json()) == (401, {"detail": "no such key"})
    assert response.headers["www-authenticate"] == "Bearer"


async def test_the_applications_handler_renders_the_refusal() -> None:
    app = build()

    @app.exception_handler(HTTPException)
    async def render(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"custom": error.detail}, error.status_code)

    assert (await get(app, "/org", "bad")).json() == {"custom": "no such key"}


async def test_starlette_and_bare_asgi_render_the_refusal_too() -> None:
    async def endpoint(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(current_org_id()))

    starlette = Starlette(routes=[Route("/", endpoint)])
    for app in (
        TenantMiddleware(starlette, resolve=resolve),
        TenantMiddleware(PlainTextResponse("x"), resolve=resolve),
    ):
        response = await get(app, "/", "bad")
        assert (response.status_code, response.text) == (401, "no such key")
    assert (await get(TenantMiddleware(starlette, resolve=resolve), "/")).text == "A"


@pytest.mark.parametrize("hostile", ["'; SET app.current_org_id='B", "x" * 129, "a b", "a/b"])
async def test_a_hostile_org_id_is_400_and_not_echoed(hostile: str) -> None:
    response = await get(build(), "/org", hostile)
    assert response.status_code == 400
    assert hostile not in response.text


async def test_the_resolver_may_be_a_plain_function() -> None:
    app = TenantMiddleware(build(middleware=False), resolve=lambda connection: 7)
    assert (await get(app, "/org")).json() == 7


async def test_another_error_of_the_resolver_propagates_and_leaves_no_scope() -> None:
    async def broken(connection: HTTPConnection) -> OrgId | None:
        raise LookupError("database is down")

    with pytest.raises(LookupError):
        await get(TenantMiddleware(build(middleware=False), resolve=broken), "/org")
    assert current_scope() is None


async def test_a_request_cannot_escalate() -> None:
    with pytest.raises(ScopeEscalation):
        await get(build(), "/escalate")


async def test_a_request_starts_from_a_fresh_root() -> None:
    """httpx's in-process transport calls the application in the caller's own task."""
    app = build()
    with tenant_scope("B") as outer:
        assert (await get(app, "/org")).json() == "A"
        assert (await get(app, "/anonymous", None)).json() == "None"
        assert (await get(app, "/org", "bad")).status_code == 401
        with pytest.raises(ScopeEscalation):
            await get(app, "/escalate")
        assert current_scope() is outer
    with pre_org_resolution_scope("test set-up"):
        assert (await get(app, "/anonymous", None)).json() == "None"
        with pytest.raises(ScopeEscalation):
            await get(app, "/escalate")


async def test_the_lifespan_passes_through_untouched() -> None:
    received: list[Any] = []

    async def app(*call: Any) -> None:
        received.append((call, current_scope()))

    call = ({"type": "lifespan"}, object(), object())
    with tenant_scope("A") as outer:
        await TenantMiddleware(app, resolve=resolve)(*call)  # type: ignore[arg-type]
    assert received == [(call, outer)]


async def test_concurrent_requests_keep_their_tenants() -> None:
    app = build()
    orgs = [f"org-{n % 7}" for n in range(70)]
    async with client_of(app) as client:
        responses = await asyncio.gather(*(client.get("/stream", headers={"x-key": org}) for org in orgs))
    assert [response.text for response in responses] == [f"{org} " * 3 for org in orgs]


# --- BaseHTTPMiddleware around, and inside


class PassOn(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


@pytest.mark.parametrize("order", ["outside", "inside"])
async def test_base_http_middleware_does_not_shorten_the_scope(order: str) -> None:
    app = build(middleware=False)
    first, second = (PassOn, TenantMiddleware) if order == "inside" else (TenantMiddleware, PassOn)
    for middleware in (first, second):  # the one added last is outermost
        app.add_middleware(middleware, **({"resolve": resolve} if middleware is TenantMiddleware else {}))
    assert (await get(app, "/stream")).text == "A A A "
    await get(app, "/background")
    assert seen == [("async task", "A"), ("sync task", "A")]


async def test_a_scope_opened_in_base_http_middleware_has_ended_for_background_tasks() -> None:
    """Never the admin pool, never another tenant: an error."""
    app = build(middleware=False)

    class OpensScope(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
            with tenant_scope("A"):
                return await call_next(request)

    app.add_middleware(OpensScope)
    with pytest.raises(ScopeEnded):
        await get(app, "/background")


# --- WebSockets


@pytest.mark.parametrize(
    ("refusal", "code"), [(HTTPException(401), 1008), (WebSocketException(4001, "no such key"), 4001)]
)
async def test_a_server_that_cannot_deny_closes_the_websocket(refusal: Exception, code: int) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def refuse(connection: HTTPConnection) -> OrgId | None:
        raise refusal

    scope = {"type": "websocket", "path": "/ws", "headers": [], "extensions": {}}
    await TenantMiddleware(build(), resolve=refuse)(scope, receive, send)  # type: ignore[arg-type]
    assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", code)]


# --- a real server


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(build(), log_level="warning", lifespan="off"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not running.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    running.should_exit = True
    thread.join(10)
    listener.close()


async def test_under_uvicorn(server: str) -> None:
    orgs = [f"org-{n % 5}" for n in range(25)]
    async with httpx.AsyncClient(base_url=f"http://{server}") as client:
        for path, expected in (("/org", '"{}"'), ("/sync", '"{}"'), ("/stream", "{0} {0} {0} ")):
            responses = await asyncio.gather(*(client.get(path, headers={"x-key": org}) for org in orgs))
            assert [response.text for response in responses] == [expected.format(org) for org in orgs]
        assert (await client.get("/background", headers={"x-key": "A"})).status_code == 200
        assert (await client.get("/org", headers={"x-key": "bad"})).status_code == 401
        assert (await client.get("/anonymous")).json() == "None"
    assert sorted(seen) == [("async task", "A"), ("sync task", "A")]


async def test_websockets_under_uvicorn(server: str) -> None:
    async with websockets.connect(f"ws://{server}/ws", additional_headers={"x-key": "A"}) as connection:
        assert await connection.recv() == '"A"'
        await connection.send("go on")
        assert await connection.recv() == '"A"'
    with pytest.raises(websockets.InvalidStatus) as denial:
        async with websockets.connect(f"ws://{server}/ws", additional_headers={"x-key": "bad"}):
            pass
    assert denial.value.response.status_code == 401
