"""Look-alikes: what resembles a leak and is none. Always on, in the clean service and beside every plant."""

from __future__ import annotations

import hashlib
import secrets
import time
import uuid
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from leaky_app.desk import Org, TheDesk

router = APIRouter(tags=["harmless"])

DEPLOYMENT = uuid.uuid4()
BUILD = uuid.UUID(int=0x5EED << 64)
STARTED = time.monotonic()
PICTURES: dict[str, str] = {}
TIPS = ["answer within a day", "close what is solved", "merge doubles", "name the product"]


class Echo(BaseModel):
    text: str = Field(max_length=500)


@router.get("/healthz", include_in_schema=False)
async def healthz() -> dict[str, str]:
    """Every org sees the id of the deployment."""
    return {"status": "ok", "deployment": str(DEPLOYMENT)}


@router.get("/plans")
async def plans(desk: TheDesk, org: Org) -> list[dict[str, Any]]:
    """A catalogue, the same for everybody, whose ids appear in every org's invoices."""
    return [dict(row) for row in await desk.pools.fetch("SELECT id, name, price FROM plans ORDER BY price")]


@router.get("/clock")
async def clock() -> dict[str, Any]:
    """Changes with every second and with every call."""
    return {"now": time.strftime("%H:%M:%S"), "uptime": time.monotonic() - STARTED, "nonce": str(uuid.uuid4())}


@router.post("/echo")
async def echo(org: Org, body: Echo, response: Response) -> dict[str, str]:
    """Returns what the caller sent, in the body and a header."""
    response.headers["x-request-id"] = str(uuid.uuid4())
    response.headers["x-length"] = str(len(body.text))
    return {"you_said": body.text}


@router.get("/lookup/{thing_id}")
async def lookup(org: Org, thing_id: uuid.UUID, deep: bool = False) -> dict[str, Any]:
    """Names the id it was asked for in its answer, whoever's it is."""
    return {"asked_for": str(thing_id), "found": False, "deep": deep}


@router.get("/status")
async def status() -> dict[str, Any]:
    """Figures of the whole deployment that no org's writes move."""
    return {"incidents": 0, "regions": ["eu", "us"], "orgs_served": "more than 1,000", "build": str(BUILD)}


@router.get("/avatars/{text}")
async def avatar(text: str) -> Response:
    """A picture made of the text alone: the same bytes and the same tag for whoever asks, from a common cache."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    image = PICTURES.setdefault(text, f"<svg><rect fill='#{digest[:6]}'/></svg>") if len(PICTURES) < 1000 else "<svg/>"
    return Response(image, media_type="image/svg+xml", headers={"etag": f'"{digest[:16]}"'})


@router.get("/quota")
async def quota(desk: TheDesk, org: Org) -> dict[str, int]:
    """Falls with the caller's own rows alone, averages them, and starts at the same figure for everybody."""
    row = await desk.pools.fetchrow("SELECT count(*) AS used, coalesce(avg(amount), 0) AS mean FROM invoices")
    return {"left": 1_000_000 - row["used"], "mean_amount": round(row["mean"])}


@router.get("/tips")
async def tips(org: Org, response: Response) -> list[str]:
    """Another order each time, and a number that looks like an org's."""
    response.headers["x-variant"] = str(secrets.randbelow(1 << 31))
    return secrets.SystemRandom().sample(TIPS, len(TIPS))


@router.get("/usage")
async def usage(desk: TheDesk, org: Org) -> dict[str, int]:
    """Grows with the caller's own writes, and with nobody else's."""
    return {"rows": await desk.pools.fetchval("SELECT count(*) FROM activity_log")}
