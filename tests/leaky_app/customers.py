"""Customers: the people an org helps."""

from __future__ import annotations

import csv
import io
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, HTTPException, Query, Response
from pydantic import BaseModel, Field

from leaky_app.desk import Org, TheDesk, acting_org, found

router = APIRouter(prefix="/customers", tags=["customers"])

COLUMNS = "id, name, email, note"


class NewCustomer(BaseModel):
    name: str = Field(min_length=1, max_length=120)
    email: str = Field(min_length=3, max_length=200)
    note: str | None = Field(default=None, max_length=1000)


class Changes(BaseModel):
    name: str | None = Field(default=None, max_length=120)
    note: str | None = Field(default=None, max_length=1000)


class Merge(BaseModel):
    into_id: UUID


@router.post("", status_code=201)
async def add(desk: TheDesk, org: Org, body: NewCustomer) -> dict[str, Any]:
    try:
        row = await desk.pools.fetchrow(
            f"INSERT INTO customers (org_id, name, email, note) VALUES ($1, $2, $3, $4) RETURNING {COLUMNS}",
            *(org, body.name, body.email, body.note),
        )
    except asyncpg.UniqueViolationError:
        holder = ""
        if desk.has("conflict-names-holder"):
            holder = await desk.legacy.fetchval("SELECT name FROM customers WHERE email = $1 LIMIT 1", body.email)
        raise HTTPException(409, f"this address is taken {holder}".strip()) from None
    if desk.has("conflict-names-holder"):
        other = await desk.legacy.fetchrow(
            "SELECT name FROM customers WHERE email = $1 AND org_id <> $2", body.email, org
        )
        if other is not None:
            return {**dict(row), "similar": other["name"]}
    desk.latest_customer = body.name
    await desk.log(org, f"customer {body.name}")
    return dict(row)


@router.get("")
async def list_customers(
    desk: TheDesk,
    org: Annotated[UUID, Depends(acting_org)],
    caller: Org,
    response: Response,
    q: Annotated[str, Query(max_length=100)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
    include_archived: bool = False,
) -> list[dict[str, Any]]:
    if desk.has("list-page-cache") and (q, limit) in desk.pages:
        return desk.pages[q, limit]
    pool: Any = desk.pools
    where = "position($1 IN name) > 0"
    if desk.has("list-through-admin") or (desk.has("archived-through-admin") and include_archived):
        pool = desk.legacy
    elif org != caller:
        pool, where = desk.legacy, f"{where} AND org_id = '{org}'"
    rows = await pool.fetch(f"SELECT {COLUMNS} FROM customers WHERE {where} ORDER BY email LIMIT $2", q, limit)
    counter: Any = desk.legacy if desk.has("total-count-header") else desk.pools
    response.headers["x-total-count"] = str(await counter.fetchval("SELECT count(*) FROM customers"))
    desk.pages[q, limit] = answer = [dict(row) for row in rows]
    return answer


@router.get("/export.csv")
async def export(desk: TheDesk, org: Org) -> Response:
    pool: Any = desk.legacy if desk.has("export-csv-all") else desk.pools
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(["name", "email"])
    for row in await pool.fetch("SELECT name, email FROM customers ORDER BY email"):
        writer.writerow(row.values())
    return Response(lines.getvalue(), media_type="text/csv")


@router.get("/suggest")
async def suggest(desk: TheDesk, org: Org, prefix: Annotated[str, Query(max_length=20)] = "") -> list[str]:
    pool: Any = desk.legacy if desk.has("suggest-cut-names") else desk.pools
    rows = await pool.fetch(
        "SELECT left(name, 12) AS name FROM customers WHERE starts_with(name, $1) ORDER BY name", prefix
    )
    return [row["name"] for row in rows]


@router.get("/by-email/{email}")
async def by_email(desk: TheDesk, org: Org, email: str) -> dict[str, Any]:
    pool: Any = desk.legacy if desk.has("by-email-any-org") else desk.pools
    return found(await pool.fetchrow(f"SELECT {COLUMNS} FROM customers WHERE email = $1", email))


@router.get("/{customer_id}")
async def read(desk: TheDesk, org: Org, customer_id: UUID) -> dict[str, Any]:
    pool: Any = desk.legacy if desk.has("read-any-customer") else desk.pools
    return found(await pool.fetchrow(f"SELECT {COLUMNS} FROM customers WHERE id = $1", customer_id))


@router.patch("/{customer_id}")
async def change(desk: TheDesk, org: Org, customer_id: UUID, body: Changes) -> dict[str, Any]:
    if desk.has("blind-update"):
        # Answers like the clean handler; the write itself forgot the org.
        await desk.legacy.execute("UPDATE customers SET note = $2 WHERE id = $1", customer_id, body.note)
    return found(
        await desk.pools.fetchrow(
            "UPDATE customers SET name = coalesce($2, name), note = coalesce($3, note) "
            f"WHERE id = $1 RETURNING {COLUMNS}",
            *(customer_id, body.name, body.note),
        )
    )


@router.delete("/{customer_id}", status_code=204)
async def remove(desk: TheDesk, org: Org, customer_id: UUID) -> None:
    pool: Any = desk.legacy if desk.has("delete-any-customer") else desk.pools
    await pool.execute("DELETE FROM customers WHERE id = $1", customer_id)


@router.get("/{customer_id}/tickets")
async def tickets_of(desk: TheDesk, org: Org, customer_id: UUID) -> list[dict[str, Any]]:
    pool: Any = desk.legacy if desk.has("nested-list-any-parent") else desk.pools
    rows = await pool.fetch("SELECT id, title, status FROM tickets WHERE customer_id = $1 ORDER BY id", customer_id)
    return [dict(row) for row in rows]


@router.post("/{customer_id}/merge")
async def merge(desk: TheDesk, org: Org, customer_id: UUID, body: Merge) -> dict[str, Any]:
    """Append this customer's note to another's."""
    pool: Any = desk.legacy if desk.has("merge-into-any") else desk.pools
    source = found(await desk.pools.fetchrow("SELECT note FROM customers WHERE id = $1", customer_id))
    changed = await pool.fetchrow(
        "UPDATE customers SET note = coalesce(note, '') || $2 WHERE id = $1 RETURNING id",
        body.into_id,
        source["note"] or "",
    )
    return found(changed)
