"""The scope of a request opened by a dependency, and tasks that outlive it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

from interlock.errors import ScopeConflict, ScopeEnded, ScopeMissing
from interlock.tenancy import (
    OrgId,
    current_org_id,
    current_scope,
    pre_org_resolution_scope,
    spawn_scoped,
    tenant_scope,
)
from interlock.tenancy.scope import require_frame
from interlock.web import TenantMiddleware, scoped


async def get(app: Any, path: str, org: str | None = "A") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        return await http.get(path, headers={} if org is None else {"x-key": org})


async def resolve(connection: Any) -> OrgId | None:
    return connection.headers.get("x-key")


def with_dependency(dependency: Any) -> FastAPI:
    app = FastAPI(dependencies=[Depends(dependency)])
    app.state.seen = []

    @app.get("/async")
    async def async_endpoint(tasks: BackgroundTasks) -> OrgId | None:
        tasks.add_task(lambda: app.state.seen.append(current_org_id()))
        return require_frame().org_id

    @app.get("/sync")
    def sync_endpoint() -> OrgId | None:
        return require_frame().org_id

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def body() -> AsyncIterator[str]:
            yield f"{current_org_id()}"

        return StreamingResponse(body())

    @app.get("/fails")
    async def fails() -> None:
        raise HTTPException(418, "teapot")

    return app


@pre_org_resolution_scope("look up the api key")
async def org_of_key(request: Request) -> OrgId | None:
    scope = current_scope()
    assert scope is not None
    assert scope.pre_resolution
    return request.headers.get("x-key")


async def test_a_scoped_dependency_covers_endpoint_stream_and_background() -> None:
    app = with_dependency(scoped(org_of_key))
    assert (await get(app, "/async")).json() == "A"
    assert (await get(app, "/sync")).json() == "A"
    assert (await get(app, "/stream")).text == "A"
    assert (await get(app, "/fails")).status_code == 418
    assert (await get(app, "/async", "a b")).status_code == 400
    assert app.state.seen == ["A"]
    assert current_scope() is None


async def test_a_scoped_dependency_without_an_org_opens_no_scope() -> None:
    with pytest.raises(ScopeMissing):
        await get(with_dependency(scoped(org_of_key)), "/async", None)


async def test_a_scoped_dependency_cannot_change_the_requests_tenant() -> None:
    app = with_dependency(scoped(lambda: "B"))
    app.add_middleware(TenantMiddleware, resolve=resolve)
    with pytest.raises(ScopeConflict):
        await get(app, "/async")
    assert (await get(app, "/async", "B")).json() == "B"


async def test_a_sync_yield_dependency_is_a_clear_error() -> None:
    """It runs in a worker thread, in a copy of the context, and is left in another copy."""

    def trap() -> Iterator[None]:
        with tenant_scope("A"):
            yield

    app = with_dependency(trap)
    for path in ("/async", "/sync"):
        with pytest.raises(ScopeMissing, match="sync `yield` dependency"):
            await get(app, path)
    assert (await get(app, "/fails")).status_code == 418, "leaving the scope does not mask the endpoint's error"


async def test_fire_and_forget_needs_spawn_scoped() -> None:
    app = FastAPI()
    release = asyncio.Event()
    tasks: list[asyncio.Task[Any]] = []

    async def work() -> OrgId | None:
        await release.wait()
        return current_org_id()

    @app.get("/")
    async def endpoint() -> None:
        tasks.extend([asyncio.create_task(work()), spawn_scoped(work())])

    app.add_middleware(TenantMiddleware, resolve=resolve)
    await get(app, "/")
    release.set()
    bare, spawned = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(bare, ScopeEnded)
    assert spawned == "A"
