"""Proposals: deduplicated by content, approved, executed."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from leaky_app.desk import Org, TheDesk, found

router = APIRouter(prefix="/proposals", tags=["proposals"])


class NewProposal(BaseModel):
    action: str = Field(min_length=1, max_length=400)


@router.post("", status_code=201)
async def propose(desk: TheDesk, org: Org, body: NewProposal) -> dict[str, Any]:
    digest = hashlib.sha256(body.action.encode()).hexdigest()
    if desk.has("proposal-dedup-any-org"):
        other = await desk.legacy.fetchrow(
            "SELECT id, state FROM proposals WHERE digest = $1 AND org_id <> $2", digest, org
        )
        if other is not None:
            return {**dict(other), "duplicate": True, "seen": 2}
    row = await desk.pools.fetchrow(
        "INSERT INTO proposals (org_id, digest, action) VALUES ($1, $2, $3) "
        "ON CONFLICT (org_id, digest) DO UPDATE SET seen = proposals.seen + 1 RETURNING id, state, seen",
        *(org, digest, body.action),
    )
    seen = row["seen"]
    if desk.has("seen-count-any-org"):
        seen = await desk.legacy.fetchval("SELECT sum(seen) FROM proposals WHERE digest = $1", digest)
    return {**dict(row), "seen": seen, "duplicate": row["seen"] > 1}


@router.get("")
async def list_proposals(desk: TheDesk, org: Org) -> list[dict[str, Any]]:
    return [dict(row) for row in await desk.pools.fetch("SELECT id, action, state FROM proposals ORDER BY id")]


@router.post("/{proposal_id}/approve")
async def approve(desk: TheDesk, org: Org, proposal_id: UUID) -> dict[str, Any]:
    pool: Any = desk.legacy if desk.has("approve-any") else desk.pools
    return found(
        await pool.fetchrow("UPDATE proposals SET state = 'approved' WHERE id = $1 RETURNING id, state", proposal_id)
    )


@router.post("/{proposal_id}/execute")
async def execute(desk: TheDesk, org: Org, proposal_id: UUID) -> dict[str, Any]:
    pool: Any = desk.legacy if desk.has("execute-any") else desk.pools
    row = found(await pool.fetchrow("SELECT action, state FROM proposals WHERE id = $1", proposal_id))
    if row["state"] != "approved":
        raise HTTPException(409, "approve it first")
    await pool.execute("UPDATE proposals SET state = 'done' WHERE id = $1", proposal_id)
    return {"executed": row["action"]}
