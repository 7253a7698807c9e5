"""Leaks that show only in company: who is connected, who has more, what was missed, and one of two references."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import pytest
from fastapi import Body, Depends, FastAPI, Header, HTTPException, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from interlock.testing import IsolationHarness

tenants = itertools.count(1)


def org_of(x_tenant: str = Header()) -> str:
    return x_tenant


Org = Annotated[str, Depends(org_of)]


class Receive(BaseModel):
    kind: Literal["receive"]
    site_id: int
    quantity: int


class Transfer(BaseModel):
    kind: Literal["transfer"]
    from_site: int
    to_site: int
    quantity: int


Movement = Annotated[Receive | Transfer, Field(discriminator="kind")]


def depot(leak: str) -> FastAPI:
    """Sites, movements between them, a rank, a stream of what happens, and a socket that counts who is there."""
    app, numbers = FastAPI(), itertools.count(1)
    sites, moves = dict[int, tuple[str, str]](), Counter[str]()
    happened, here = defaultdict[str, list[str]](list), Counter[str]()

    def site(org: str, key: int, *, leaky: bool = False) -> str:
        owner, name = sites.get(key, ("", ""))
        if owner != org and not (leaky and owner):
            raise HTTPException(404, "no such site")
        return name

    @app.post("/sites", status_code=201)
    def add(name: Annotated[str, Body(embed=True, max_length=80)], org: Org) -> dict[str, Any]:
        key = next(numbers)
        sites[key] = org, name
        happened["all" if leak == "resume" else org].append(name)
        return {"id": key, "name": name}

    @app.get("/sites")
    def read(org: Org) -> list[dict[str, Any]]:
        return [{"id": key, "name": name} for key, (owner, name) in sites.items() if owner == org]

    @app.post("/movements", status_code=201)
    def move(body: Movement, org: Org) -> dict[str, Any]:
        if isinstance(body, Transfer):
            site(org, body.from_site)
            name = site(org, body.to_site, leaky=leak == "second")
        else:
            name = site(org, body.site_id)
        moves[org] += 1
        return {"at": name}

    @app.get("/rank")
    def rank(org: Org) -> dict[str, int]:
        return {"rank": 1 + sum(made > moves[org] for made in moves.values()) if leak == "rank" else 1}

    @app.get("/events")
    async def events(org: Org, last_event_id: Annotated[int | None, Header(ge=0)] = None) -> StreamingResponse:
        missed = happened["all" if leak == "resume" else org][last_event_id:] if last_event_id is not None else []

        async def stream() -> AsyncIterator[str]:
            for one in (": welcome", *(f"data: {json.dumps(name)}" for name in missed)):
                yield f"{one}\n\n"
            await asyncio.sleep(60)

        return StreamingResponse(stream(), media_type="text/event-stream")

    @app.websocket("/here")
    async def socket(socket: WebSocket) -> None:
        org = socket.headers.get("x-tenant", "")
        await socket.accept()
        here[org] += 1
        try:
            while True:
                told = await socket.receive_json()
                if told.get("type") == "who":
                    await socket.send_json({"here": here.total() if leak == "socket" else here[org]})
        except WebSocketDisconnect:
            pass
        finally:
            here[org] -= 1

    return app


@pytest.mark.parametrize(
    ("leak", "endpoint"),
    [
        ("", None),
        ("second", "POST /movements"),
        ("rank", "GET /rank"),
        ("resume", "GET /events"),
        ("socket", "WEBSOCKET /here"),
    ],
)
def test_each_is_found_in_the_first_example(leak: str, endpoint: str | None) -> None:
    harness = IsolationHarness(
        depot(leak), create_org=lambda: f"tenant-{next(tenants):06}", headers_for=lambda org: {"x-tenant": org}
    )
    report = harness.run(max_examples=1 if leak else 30, seed=1)
    assert not report.vacuous
    assert [one.endpoint for one in report.leaks] == ([] if endpoint is None else [endpoint]), str(report)
