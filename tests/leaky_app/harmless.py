"""Look-alikes: what resembles a leak and is none. Always on, in the clean service and beside every plant."""

from __future__ import annotations

import time
import uuid
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from leaky_app.desk import Org, TheDesk

router = APIRouter(tags=["harmless"])

DEPLOYMENT = uuid.uuid4()
STARTED = time.monotonic()


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


@router.get("/usage")
async def usage(desk: TheDesk, org: Org) -> dict[str, int]:
    """Grows with the caller's own writes, and with nobody else's."""
    return {"rows": await desk.pools.fetchval("SELECT count(*) FROM activity_log")}
