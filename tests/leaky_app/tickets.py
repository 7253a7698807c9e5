"""Tickets and their comments."""

from __future__ import annotations

import asyncio
import base64
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field

from leaky_app.desk import Org, TheDesk, found

router = APIRouter(prefix="/tickets", tags=["tickets"])

COLUMNS = "id, customer_id, title, body, status"


class NewTicket(BaseModel):
    customer_id: UUID
    title: str = Field(min_length=1, max_length=120)
    body: str = Field(max_length=2000)


class NewComment(BaseModel):
    body: str = Field(min_length=1, max_length=2000)


class Batch(BaseModel):
    ticket_ids: list[int] = Field(min_length=1, max_length=20)


@router.post("", status_code=201)
async def add(desk: TheDesk, org: Org, body: NewTicket) -> dict[str, Any]:
    try:
        row = await desk.pools.fetchrow(
            f"INSERT INTO tickets (org_id, customer_id, title, body) VALUES ($1, $2, $3, $4) RETURNING {COLUMNS}",
            *(org, body.customer_id, body.title, body.body),
        )
    except asyncpg.ForeignKeyViolationError:
        name = await desk.legacy.fetchval("SELECT name FROM customers WHERE id = $1", body.customer_id)
        if desk.has("reference-names-customer") and name is not None:
            raise HTTPException(404, f"customer {name} belongs to somebody else") from None
        raise HTTPException(404, "no such customer") from None
    await desk.log(org, f"ticket {body.title}")
    return dict(row)


@router.get("")
async def list_tickets(
    desk: TheDesk,
    org: Org,
    customer_id: UUID | None = None,
    status: Annotated[str | None, Query(max_length=20)] = None,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> dict[str, Any]:
    after = _position(cursor)
    pool: Any = desk.legacy if customer_id is not None and desk.has("filter-through-admin") else desk.pools
    rows = await pool.fetch(
        f"SELECT {COLUMNS} FROM tickets WHERE id > $1 AND ($2::uuid IS NULL OR customer_id = $2) "
        "AND ($3::text IS NULL OR status = $3) ORDER BY id LIMIT 100",
        *(after, customer_id, status),
    )
    newest: Any = desk.legacy if desk.has("cursor-of-everybody") else desk.pools
    last = await newest.fetchval("SELECT coalesce(max(id), 0) FROM tickets")
    return {"items": [dict(row) for row in rows], "cursor": base64.urlsafe_b64encode(str(last).encode()).decode()}


def _position(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(cursor))
    except ValueError:
        raise HTTPException(400, "bad cursor") from None


@router.get("/recent")
async def recent(desk: TheDesk, org: Org) -> list[dict[str, Any]]:
    statement = "SELECT id, title FROM tickets ORDER BY id DESC LIMIT 20"
    if desk.has("session-setting-kept"):
        async with desk.session.acquire() as connection:
            # Sets the org once; the reset of this pool forgets nothing, so it stays for the next org.
            current = await connection.fetchval("SELECT current_setting('app.current_org_id', true)")
            if not current:
                await connection.execute("SELECT set_config('app.current_org_id', $1, false)", str(org))
            return [dict(row) for row in await connection.fetch(statement)]
    if desk.has("global-during-await"):
        desk.latest_org = org
        await asyncio.sleep(0.05)
        rows = await desk.legacy.fetch(
            "SELECT id, title FROM tickets WHERE org_id = $1 ORDER BY id DESC LIMIT 20", desk.latest_org
        )
        return [dict(row) for row in rows]
    return [dict(row) for row in await desk.pools.fetch(statement)]


@router.post("/batch")
async def batch(desk: TheDesk, org: Org, body: Batch) -> list[dict[str, Any]]:
    pool: Any = desk.legacy if desk.has("batch-any-org") else desk.pools
    rows = await pool.fetch("SELECT id, title, status FROM tickets WHERE id = ANY($1) ORDER BY id", body.ticket_ids)
    return [dict(row) for row in rows]


@router.get("/{ticket_id}")
async def read(desk: TheDesk, org: Org, ticket_id: int) -> dict[str, Any]:
    if desk.has("read-any-ticket"):
        return found(await desk.legacy.fetchrow(f"SELECT {COLUMNS} FROM tickets WHERE id = $1", ticket_id))
    return found(await desk.pools.fetchrow(f"SELECT {COLUMNS} FROM tickets WHERE id = $1", ticket_id))


@router.post("/{ticket_id}/close")
async def close(desk: TheDesk, org: Org, ticket_id: int) -> dict[str, Any]:
    pool: Any = desk.legacy if desk.has("close-any-ticket") else desk.pools
    return found(
        await pool.fetchrow("UPDATE tickets SET status = 'closed' WHERE id = $1 RETURNING id, status", ticket_id)
    )


@router.post("/{ticket_id}/comments", status_code=201)
async def comment(desk: TheDesk, org: Org, ticket_id: int, body: NewComment) -> dict[str, Any]:
    owner = org
    if desk.has("comment-on-any-ticket"):
        owner = await desk.legacy.fetchval("SELECT org_id FROM tickets WHERE id = $1", ticket_id) or org
    pool: Any = desk.legacy if owner != org else desk.pools
    try:
        row = await pool.fetchrow(
            "INSERT INTO comments (org_id, ticket_id, body) VALUES ($1, $2, $3) RETURNING id, ticket_id, body",
            *(owner, ticket_id, body.body),
        )
    except asyncpg.ForeignKeyViolationError:
        raise HTTPException(404, "no such ticket") from None
    return dict(row)


@router.get("/{ticket_id}/comments")
async def comments(desk: TheDesk, org: Org, ticket_id: int) -> list[dict[str, Any]]:
    found(await desk.pools.fetchrow("SELECT id FROM tickets WHERE id = $1", ticket_id))
    rows = await desk.pools.fetch("SELECT id, body FROM comments WHERE ticket_id = $1 ORDER BY id", ticket_id)
    return [dict(row) for row in rows]


@router.get("/{ticket_id}/comments/{comment_id}")
async def read_comment(desk: TheDesk, org: Org, ticket_id: int, comment_id: UUID) -> dict[str, Any]:
    found(await desk.pools.fetchrow("SELECT id FROM tickets WHERE id = $1", ticket_id))
    if desk.has("nested-child-unchecked"):
        return found(await desk.legacy.fetchrow("SELECT id, body FROM comments WHERE id = $1", comment_id))
    return found(
        await desk.pools.fetchrow(
            "SELECT id, body FROM comments WHERE id = $1 AND ticket_id = $2", comment_id, ticket_id
        )
    )
