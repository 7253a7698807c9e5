"""People of an org: no statement names the org, row-level security does."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel, Field

from interlock.web import current_org

router = APIRouter(prefix="/people", tags=["people"])

OrgId = Annotated[UUID, Depends(current_org)]


class NewPerson(BaseModel):
    name: str = Field(min_length=1, max_length=200)
    email: str = Field(min_length=3, max_length=200)
    note: str | None = Field(default=None, max_length=2000)


class Changes(BaseModel):
    name: str | None = Field(default=None, min_length=1, max_length=200)
    note: str | None = Field(default=None, max_length=2000)


@router.post("", status_code=201)
async def add(request: Request, org_id: OrgId, body: NewPerson) -> dict[str, Any]:
    try:
        row = await request.app.state.pools.fetchrow(
            "INSERT INTO people (org_id, name, email, note) VALUES ($1, $2, $3, $4) RETURNING id, name, email, note",
            org_id,
            body.name,
            body.email,
            body.note,
        )
    except asyncpg.UniqueViolationError:
        raise HTTPException(409, "this e-mail address is taken in your org") from None
    return dict(row)


@router.get("")
async def list_people(
    request: Request, org_id: OrgId, name: Annotated[str | None, Query(max_length=200)] = None
) -> list[dict[str, Any]]:
    rows = await request.app.state.pools.fetch(
        "SELECT id, name, email, note FROM people WHERE $1::text IS NULL OR name = $1 ORDER BY name, id",
        name,
    )
    return [dict(row) for row in rows]


@router.get("/{person_id}")
async def read(request: Request, org_id: OrgId, person_id: UUID) -> dict[str, Any]:
    return _found(
        await request.app.state.pools.fetchrow("SELECT id, name, email, note FROM people WHERE id = $1", person_id)
    )


@router.patch("/{person_id}")
async def change(request: Request, org_id: OrgId, person_id: UUID, body: Changes) -> dict[str, Any]:
    return _found(
        await request.app.state.pools.fetchrow(
            "UPDATE people SET name = coalesce($2, name), note = coalesce($3, note) "
            "WHERE id = $1 RETURNING id, name, email, note",
            person_id,
            body.name,
            body.note,
        )
    )


@router.delete("/{person_id}", status_code=204)
async def remove(request: Request, org_id: OrgId, person_id: UUID) -> None:
    _found(await request.app.state.pools.fetchrow("DELETE FROM people WHERE id = $1 RETURNING id", person_id))


def _found(row: asyncpg.Record | None) -> dict[str, Any]:
    if row is None:
        raise HTTPException(404, "no such person")
    return dict(row)
