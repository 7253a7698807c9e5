"""Requests, scopes and pools together, on a real server with real rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse

from interlock.tenancy import (
    OrgId,
    ScopeEnded,
    ScopeMissing,
    TenantPools,
    create_tenant_pools,
    pre_org_resolution_scope,
    tenant_scope,
)
from interlock.web import TenantMiddleware, scoped

if TYPE_CHECKING:
    from conftest import TenantDatabase

NAMES = "SELECT name FROM items ORDER BY name"
OF_ORG = {"A": ["a1", "a2"], "B": ["b1"]}


@pytest.fixture
async def pools(tenant_database: TenantDatabase) -> AsyncIterator[TenantPools]:
    async with create_tenant_pools(*tenant_database.dsns, min_size=1, max_size=2) as pools:
        yield pools


def build(pools: TenantPools) -> FastAPI:
    app = FastAPI()
    app.state.later = []

    @app.get("/items")
    async def items() -> list[str]:
        return [row["name"] for row in await pools.fetch(NAMES)]

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def body() -> AsyncIterator[str]:
            async with pools.acquire() as connection:
                for row in await connection.fetch(NAMES):
                    yield row["name"] + " "
                    await asyncio.sleep(0)

        return StreamingResponse(body())

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> None:
        async def later() -> None:
            app.state.later.append([row["name"] for row in await pools.fetch(NAMES)])

        tasks.add_task(later)

    return app


def serve(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def test_a_resolver_may_ask_the_database(pools: TenantPools) -> None:
    async def resolve(connection: HTTPConnection) -> OrgId | None:
        key = connection.headers["x-key"]
        # The admin role sees every tenant: this is what a look-up by API key needs.
        org = await pools.fetchval("SELECT org_id FROM items WHERE name = $1", key)
        if org is None:
            raise HTTPException(401)
        return str(org)

    app = build(pools)
    app.add_middleware(TenantMiddleware, resolve=resolve)
    async with serve(app) as client:
        for key, org in (("a2", "A"), ("b1", "B"), ("a1", "A")):
            headers = {"x-key": key}
            assert (await client.get("/items", headers=headers)).json() == OF_ORG[org]
            assert (await client.get("/stream", headers=headers)).text.split() == OF_ORG[org]
            await client.get("/background", headers=headers)
            assert app.state.later.pop() == OF_ORG[org]
        assert (await client.get("/items", headers={"x-key": "forged"})).status_code == 401


async def test_concurrent_requests_see_their_own_rows(pools: TenantPools) -> None:
    app = build(pools)
    app.add_middleware(TenantMiddleware, resolve=lambda connection: connection.headers["x-org"])
    orgs = ["A", "B", "C"] * 20
    async with serve(app) as client:
        answers = await asyncio.gather(*(client.get("/stream", headers={"x-org": org}) for org in orgs))
    assert [answer.text.split() for answer in answers] == [OF_ORG.get(org, []) for org in orgs]


async def test_without_a_tenant_no_connection_is_taken(pools: TenantPools) -> None:
    app = build(pools)
    app.add_middleware(TenantMiddleware, resolve=lambda connection: None)
    before = pools.stats()
    async with serve(app) as client:
        for path in ("/items", "/stream"):
            with pytest.raises(ScopeMissing):
                await client.get(path)
    assert pools.stats() == before


async def test_a_sync_yield_dependency_leaves_the_endpoint_without_a_connection(pools: TenantPools) -> None:
    def trap() -> Iterator[None]:
        with tenant_scope("A"):
            yield

    app = FastAPI()

    @app.get("/trapped", dependencies=[Depends(trap)])
    async def trapped() -> None:
        await pools.fetch(NAMES)

    before = pools.stats()
    async with serve(app) as client:
        with pytest.raises(ScopeMissing, match="sync `yield` dependency"):
            await client.get("/trapped")
    assert pools.stats() == before


async def test_a_scoped_dependency_serves_async_and_streamed_work(pools: TenantPools) -> None:
    async def org_of_header(request: Request) -> str:
        return request.headers["x-org"]

    outer = FastAPI(dependencies=[Depends(scoped(org_of_header))])
    app = build(pools)
    outer.include_router(app.router)
    async with serve(outer) as client:
        for org in ("A", "B"):
            headers = {"x-org": org}
            assert (await client.get("/items", headers=headers)).json() == OF_ORG[org]
            assert (await client.get("/stream", headers=headers)).text.split() == OF_ORG[org]
            await client.get("/background", headers=headers)
            assert app.state.later.pop() == OF_ORG[org]


async def test_a_scope_opened_in_base_http_middleware_never_reaches_the_admin_role(pools: TenantPools) -> None:
    class OpensScope(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
            with tenant_scope("A"):
                return await call_next(request)

    app = build(pools)
    app.add_middleware(OpensScope)
    async with serve(app) as client:
        assert (await client.get("/items")).json() == OF_ORG["A"]
        with pytest.raises(ScopeEnded):
            await client.get("/background")
    assert app.state.later == []


async def test_start_up_needs_a_scope_and_says_which(pools: TenantPools) -> None:
    """Lifespan code runs before any middleware."""

    async def start_up() -> Any:
        return await pools.fetchval("SELECT count(*) FROM items")

    with pytest.raises(ScopeMissing, match=r"pre_org_resolution_scope\(reason\).*lifespan start-up"):
        await start_up()
    with pre_org_resolution_scope("start-up"):
        assert await start_up() == 3
