"""Numbers, search, reports, preferences."""

from __future__ import annotations

import logging
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, BackgroundTasks, HTTPException, Query, Request
from pydantic import BaseModel, Field

from leaky_app.desk import Desk, Org, TheDesk, found

router = APIRouter(tags=["insight"])
logger = logging.getLogger("leaky_app")


class NewReport(BaseModel):
    title: str = Field(min_length=1, max_length=100)


class Preferences(BaseModel):
    signature: str = Field(max_length=200)
    theme: str = Field(default="light", pattern="^(light|dark)$")


@router.get("/stats")
async def stats(desk: TheDesk, org: Org) -> dict[str, int]:
    pool: Any = desk.legacy if desk.has("stats-of-everybody") else desk.pools
    return {
        table: await pool.fetchval(f"SELECT count(*) FROM {table}")
        for table in ("customers", "tickets", "documents", "reports")
    }


@router.get("/activity")
async def activity(desk: TheDesk, org: Org) -> list[dict[str, Any]]:
    return [dict(row) for row in await desk.pools.fetch("SELECT id, event FROM activity ORDER BY id DESC LIMIT 50")]


@router.get("/search")
async def search(desk: TheDesk, org: Org, q: Annotated[str, Query(max_length=100)] = "") -> list[dict[str, Any]]:
    if desk.has("search-cache-by-text") and ("search", q) in desk.pages:
        return desk.pages["search", q]
    logger.info("search after %s", desk.latest_customer if desk.has("log-of-another") else "something")
    rows = [dict(row) for row in await desk.pools.fetch("SELECT kind, title FROM find_anything($1)", q)]
    desk.pages["search", q] = rows
    return rows


@router.post("/reports", status_code=202)
async def start_report(desk: TheDesk, org: Org, body: NewReport, background: BackgroundTasks) -> dict[str, Any]:
    row = await desk.pools.fetchrow(
        "INSERT INTO reports (org_id, title) VALUES ($1, $2) RETURNING id", org, body.title
    )
    previous, desk.latest_org = desk.latest_org, org
    background.add_task(_write_report, desk, org, row["id"], previous)
    return {"id": row["id"], "state": "started"}


async def _write_report(desk: Desk, org: UUID, report_id: UUID, previous: UUID | None) -> None:
    await desk.pools.execute("UPDATE reports SET result = 'all well: ' || title WHERE id = $1", report_id)
    if desk.has("background-under-previous-org") and previous is not None:
        await desk.legacy.execute("INSERT INTO activity_log (org_id, event) VALUES ($1, 'report ready')", previous)


@router.get("/reports/{report_id}")
async def read_report(desk: TheDesk, org: Org, report_id: UUID) -> dict[str, Any]:
    pool: Any = desk.legacy if desk.has("report-any") else desk.pools
    return found(await pool.fetchrow("SELECT id, title, result FROM reports WHERE id = $1", report_id))


@router.get("/preferences")
async def preferences(desk: TheDesk, org: Org) -> dict[str, Any]:
    key = "preferences" if desk.has("preferences-cached-once") else ("preferences", org)
    if key not in desk.items or key != "preferences":
        row = await desk.pools.fetchrow("SELECT signature, theme FROM preferences")
        answer = dict(row) if row else {"signature": "", "theme": "light"}
        if not row:
            return answer
        desk.items[key] = answer
    return desk.items[key]


@router.get("/account")
async def account(desk: TheDesk, org: Org) -> dict[str, Any]:
    key = "account" if desk.has("account-cached-once") else ("account", org)
    return desk.items.setdefault(key, {"org_id": org, "region": "eu"})


@router.get("/reports")
async def list_reports(desk: TheDesk, org: Org) -> list[dict[str, Any]]:
    """Asks for its own and is shown no others: two layers, one of which a plant takes away."""
    own = "true" if desk.has("filter-left-to-policy") else "org_id = $1"
    rows = await desk.pools.fetch(f"SELECT id, title FROM reports WHERE {own} OR org_id = $1 ORDER BY title", org)
    return [dict(row) for row in rows]


@router.put("/preferences")
async def save_preferences(desk: TheDesk, org: Org, body: Preferences, request: Request) -> dict[str, Any]:
    owner, pool = org, desk.pools
    if desk.has("org-from-body"):
        raw = await request.json()
        try:
            owner, pool = UUID(str(raw.get("org_id", org))), desk.legacy  # type: ignore[assignment]
        except ValueError:
            owner = org
    try:
        row = await pool.fetchrow(
            "INSERT INTO preferences (org_id, signature, theme) VALUES ($1, $2, $3) ON CONFLICT (org_id) DO UPDATE "
            "SET signature = excluded.signature, theme = excluded.theme RETURNING signature, theme",
            *(owner, body.signature, body.theme),
        )
    except asyncpg.InsufficientPrivilegeError:
        raise HTTPException(403, "not yours") from None
    return dict(row)
