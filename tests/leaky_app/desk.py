"""What every handler works with: pools, caches, and whether a leak is planted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import Depends, HTTPException
from starlette.requests import HTTPConnection

from interlock.tenancy import TenantPools
from interlock.web import current_org


@dataclass
class Desk:
    """The service's state. ``legacy`` is the pool of the admin role that somebody kept from before the migration."""

    pools: TenantPools
    legacy: asyncpg.Pool
    session: asyncpg.Pool
    plant: str | None
    pages: dict[Any, Any] = field(default_factory=dict)
    items: dict[Any, Any] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    replays: dict[Any, Any] = field(default_factory=dict)
    links: dict[str, tuple[UUID, UUID]] = field(default_factory=dict)
    requests: dict[Any, int] = field(default_factory=dict)
    listeners: dict[asyncio.Queue[str], UUID] = field(default_factory=dict)
    latest_org: UUID | None = None
    latest_customer: str = ""

    def has(self, plant: str) -> bool:
        """Whether this leak is planted."""
        return self.plant == plant

    def publish(self, org: UUID, event: str) -> None:
        """Tell the org's open streams."""
        for queue, owner in self.listeners.items():
            if owner == org or self.has("broadcast-to-all"):
                queue.put_nowait(event)

    async def log(self, org: UUID, event: str) -> None:
        """Record and publish what happened."""
        await self.pools.execute("INSERT INTO activity_log (org_id, event) VALUES ($1, $2)", org, event)
        self.publish(org, event)


def desk(connection: HTTPConnection) -> Desk:
    return connection.app.state.desk  # type: ignore[no-any-return]


async def acting_org(connection: HTTPConnection, org: Annotated[UUID, Depends(current_org)]) -> UUID:
    """The org of the credentials; with a plant, the org that a header, parameter or cookie names."""
    here: Desk = connection.app.state.desk
    named = None
    if here.has("org-from-header"):
        named = connection.headers.get("x-org-id")
    elif here.has("org-from-query"):
        named = connection.query_params.get("org_id")
    elif here.has("org-from-cookie"):
        named = connection.cookies.get("org_id")
    try:
        return UUID(named) if named else org
    except ValueError:
        return org


TheDesk = Annotated[Desk, Depends(desk)]
Org = Annotated[UUID, Depends(current_org)]


def found(row: Any) -> dict[str, Any]:
    """The row, or 404."""
    if row is None:
        raise HTTPException(404, "not found")
    return dict(row)
