"""Notes of an org, searched and streamed: the body is sent while the tenant's scope is open."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from interlock.web import current_org

router = APIRouter(prefix="/notes", tags=["notes"])

OrgId = Annotated[UUID, Depends(current_org)]


class NewNote(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    body: str = Field(max_length=4000)


@router.post("", status_code=201)
async def add(request: Request, org_id: OrgId, body: NewNote) -> dict[str, Any]:
    row = await request.app.state.pools.fetchrow(
        "INSERT INTO notes (org_id, title, body) VALUES ($1, $2, $3) RETURNING id, title, body",
        org_id,
        body.title,
        body.body,
    )
    return dict(row)


@router.get("")
async def search(
    request: Request, org_id: OrgId, q: Annotated[str, Query(max_length=200)] = ""
) -> list[dict[str, Any]]:
    rows = await request.app.state.pools.fetch(
        "SELECT id, title, body FROM notes WHERE position($1 IN title || ' ' || body) > 0 ORDER BY created_at, id", q
    )
    return [dict(row) for row in rows]


@router.get("/export.csv")
async def export(request: Request, org_id: OrgId) -> StreamingResponse:
    pools = request.app.state.pools

    async def lines() -> AsyncIterator[str]:
        async with pools.transaction() as connection:
            async for row in connection.cursor("SELECT title, body FROM notes ORDER BY created_at, id"):
                line = io.StringIO()
                csv.writer(line).writerow(row.values())
                yield line.getvalue()

    return StreamingResponse(lines(), media_type="text/csv")
