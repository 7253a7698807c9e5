"""Assembles the service: pools, scope, one router a topic."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from interlock.tenancy import create_tenant_pools
from interlock.web import TenantMiddleware
from union_station import dedup, gates, isolation, notes, orgs, people, tenancy
from union_station.settings import Settings

TOPICS = (orgs, people, notes, dedup, gates, tenancy, isolation)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the service; without ``settings`` they come from the environment."""
    chosen = settings or Settings.from_environment()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with create_tenant_pools(chosen.tenant_dsn, chosen.admin_dsn, min_size=1, max_size=4) as pools:
            app.state.pools = pools
            started = []
            try:
                for topic in TOPICS:
                    if hasattr(topic, "startup"):
                        await topic.startup(app)
                    started.append(topic)
                yield
            finally:
                for topic in reversed(started):
                    if hasattr(topic, "shutdown"):
                        await topic.shutdown(app)

    app = FastAPI(title="Union Station", lifespan=lifespan)
    app.state.settings = chosen
    for topic in TOPICS:
        if hasattr(topic, "router"):
            app.include_router(topic.router)
        if hasattr(topic, "add_middleware"):
            topic.add_middleware(app)
    app.add_middleware(TenantMiddleware, resolve=orgs.resolve)

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app
