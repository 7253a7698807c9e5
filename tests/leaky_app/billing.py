"""Invoices."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, HTTPException, Response
from pydantic import BaseModel, Field

from leaky_app.desk import Org, TheDesk, found

router = APIRouter(prefix="/invoices", tags=["invoices"])

COLUMNS = "id, number, plan_id, memo, amount, paid"


class NewInvoice(BaseModel):
    plan_id: UUID
    memo: str = Field(min_length=1, max_length=300)
    amount: int = Field(ge=1, le=100_000)


@router.post("", status_code=201)
async def add(
    desk: TheDesk, org: Org, body: NewInvoice, idempotency_key: Annotated[str | None, Header(max_length=100)] = None
) -> dict[str, Any]:
    key = idempotency_key if desk.has("idempotency-any-org") else (org, idempotency_key)
    if idempotency_key is not None and key in desk.replays:
        return desk.replays[key]
    row = await desk.pools.fetchrow(
        "INSERT INTO invoices (org_id, number, plan_id, memo, amount) "
        f"SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4 FROM invoices RETURNING {COLUMNS}",
        *(org, body.plan_id, body.memo, body.amount),
    )
    if idempotency_key is not None:
        desk.replays[key] = dict(row)
    return dict(row)


@router.get("")
async def list_invoices(desk: TheDesk, org: Org) -> list[dict[str, Any]]:
    return [dict(row) for row in await desk.pools.fetch(f"SELECT {COLUMNS} FROM invoices ORDER BY number")]


@router.get("/summary")
async def summary(desk: TheDesk, org: Org) -> dict[str, Any]:
    pool: Any = desk.legacy if desk.has("summary-of-everybody") else desk.pools
    row = await pool.fetchrow("SELECT count(*) AS invoices, coalesce(sum(amount), 0) AS total FROM invoices")
    return dict(row)


@router.get("/{invoice_id}")
async def read(desk: TheDesk, org: Org, invoice_id: UUID) -> dict[str, Any]:
    row = await desk.pools.fetchrow(f"SELECT {COLUMNS} FROM invoices WHERE id = $1", invoice_id)
    if row is None and desk.has("forbidden-or-missing"):
        exists = await desk.legacy.fetchval("SELECT true FROM invoices WHERE id = $1", invoice_id)
        raise HTTPException(403 if exists else 404, "not for you" if exists else "not found")
    return found(row)


@router.post("/{invoice_id}/pay")
async def pay(desk: TheDesk, org: Org, invoice_id: UUID) -> dict[str, Any]:
    if desk.has("pay-any-silently"):
        # The right answer, but somebody else's invoice is paid.
        await desk.legacy.execute("UPDATE invoices SET paid = true WHERE id = $1", invoice_id)
    return found(
        await desk.pools.fetchrow("UPDATE invoices SET paid = true WHERE id = $1 RETURNING id, paid", invoice_id)
    )


@router.delete("/{invoice_id}")
async def void(desk: TheDesk, org: Org, invoice_id: UUID) -> Response:
    pool: Any = desk.legacy if desk.has("void-any") else desk.pools
    done = await pool.execute("DELETE FROM invoices WHERE id = $1", invoice_id)
    return Response(status_code=204 if done.endswith(" 1") else 404)
