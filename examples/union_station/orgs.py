"""Sign-up, and who a request is from: the only code that works before the tenant is known."""

from __future__ import annotations

import hashlib
import secrets
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection

from interlock.tenancy import pre_org_resolution_scope
from interlock.web import current_org

router = APIRouter(prefix="/orgs", tags=["orgs"])


class SignUp(BaseModel):
    name: str = Field(min_length=1, max_length=200)


class SignedUp(BaseModel):
    org_id: UUID
    api_key: str


@router.post("", status_code=201)
async def sign_up(request: Request, body: SignUp) -> SignedUp:
    """Create an org; the key in the answer is not stored and not shown again."""
    api_key = secrets.token_urlsafe(24)
    with pre_org_resolution_scope("sign-up: the org does not exist yet"):  # interlock: ok nobody is signed in yet
        async with request.app.state.pools.transaction() as connection:
            org_id = await connection.fetchval("INSERT INTO orgs (name) VALUES ($1) RETURNING org_id", body.name)
            await connection.execute(
                "INSERT INTO api_keys (key_digest, org_id) VALUES ($1, $2)", key_digest(api_key), org_id
            )
    return SignedUp(org_id=org_id, api_key=api_key)


@router.get("/me")
async def me(request: Request, org_id: Annotated[UUID, Depends(current_org)]) -> dict[str, str]:
    """The caller's own org."""
    row = await request.app.state.pools.fetchrow("SELECT org_id, name FROM orgs")
    if row is None:
        raise HTTPException(404, "no such org")
    return {"org_id": str(org_id), "name": row["name"]}


def key_digest(api_key: str) -> bytes:
    return hashlib.sha256(api_key.encode()).digest()


async def resolve(connection: HTTPConnection) -> UUID | None:
    """The org of an API key. A request without a key has no tenant; one with a wrong key is refused."""
    header = connection.headers.get("authorization", "")
    scheme, _, api_key = header.partition(" ")
    if not header:
        return None
    org_id = None
    if scheme.lower() == "bearer":
        org_id = await connection.app.state.pools.fetchval(
            "SELECT org_id FROM api_keys WHERE key_digest = $1", key_digest(api_key)
        )
    if org_id is None:
        raise HTTPException(401, "unknown API key", headers={"WWW-Authenticate": "Bearer"})
    return UUID(str(org_id))
