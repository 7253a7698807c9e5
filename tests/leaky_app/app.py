"""Assembles the help desk. ``create_app(dsn…, plant=None)`` is clean; a plant id makes it leak in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
from fastapi import FastAPI, HTTPException, Request, Response
from starlette.middleware.base import RequestResponseEndpoint
from starlette.requests import HTTPConnection

from interlock.tenancy import create_tenant_pools
from interlock.web import TenantMiddleware
from leaky_app import billing, customers, documents, harmless, insight, live, proposals, tickets
from leaky_app.desk import Desk

TOPICS = (customers, tickets, documents, billing, proposals, insight, live, harmless)


async def resolve(connection: HTTPConnection) -> UUID | None:
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    if not key or scheme.lower() != "bearer":
        return None
    org = await connection.app.state.desk.pools.fetchval("SELECT org_id FROM api_keys WHERE key = $1", key)
    if org is None:
        raise HTTPException(401, "unknown key")
    return UUID(str(org))


async def keep_session(connection: asyncpg.Connection) -> None:
    """A reset that forgets nothing: what a pool has when somebody "optimised" it."""


def create_app(tenant_dsn: str, admin_dsn: str, plant: str | None = None) -> FastAPI:
    """Build the service on a migrated database."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            create_tenant_pools(
                tenant_dsn, admin_dsn, min_size=1, max_size=4, doctor="off" if plant else "error"
            ) as pools,
            asyncpg.create_pool(admin_dsn, min_size=0, max_size=2) as legacy,
            asyncpg.create_pool(tenant_dsn, min_size=0, max_size=1, reset=keep_session) as session,
        ):
            app.state.desk = Desk(pools, legacy, session, plant)
            yield

    app = FastAPI(title="help desk", lifespan=lifespan)
    for topic in TOPICS:
        app.include_router(topic.router)

    @app.middleware("http")
    async def count_requests(request: Request, call_next: RequestResponseEndpoint) -> Response:
        desk: Desk = request.app.state.desk
        who = "everybody" if desk.has("allowance-shared") else request.headers.get("authorization", "")
        desk.requests[who] = desk.requests.get(who, 0) + 1
        answer = await call_next(request)
        answer.headers["x-ratelimit-remaining"] = str(1_000_000 - desk.requests[who])
        return answer

    app.add_middleware(TenantMiddleware, resolve=resolve)
    return app
