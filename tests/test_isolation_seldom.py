"""Leaks that show seldom: with two options at once, behind a cursor, to whoever comes after another, in an error."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from fastapi import (
    BackgroundTasks,
    Body,
    Depends,
    FastAPI,
    Header,
    HTTPException,
    Query,
    Response,
    WebSocket,
    WebSocketDisconnect,
)

from interlock.testing import IsolationHarness

tenants = itertools.count(1)
Rows = list[dict[str, Any]]


def org_of(x_tenant: str = Header()) -> str:
    if not x_tenant.startswith("tenant-"):
        raise HTTPException(401, "who is it?")
    return x_tenant


Org = Annotated[str, Depends(org_of)]
Text = Annotated[str, Body(embed=True, max_length=200)]


def harness(app: FastAPI) -> IsolationHarness:
    def create_org() -> str:
        return f"tenant-{next(tenants):06}"

    return IsolationHarness(app, create_org=create_org, headers_for=lambda org: {"x-tenant": org})


def notes(leak: str) -> FastAPI:
    """Notes with a sorted list, pages, tags, a log, and an error message."""
    app, rows, log = FastAPI(), Rows(), Rows()
    last = ["Seaview"]

    def own(org: str, *, leaky: bool = False) -> Rows:
        return [row for row in rows if row["org"] == org or leaky]

    def shown(found: Rows) -> Rows:
        return [{"id": row["id"], "text": row["text"]} for row in found]

    @app.post("/notes", status_code=201)
    async def add(text: Text, org: Org) -> dict[str, Any]:
        rows.append({"id": len(rows) + 1, "org": org, "text": text, "version": 1})
        log.append({"org": org, "actor": "api", "what": text})
        last[0] = text
        return {"id": len(rows)}

    @app.get("/notes")
    async def sorted_list(org: Org, sort: Literal["id", "text"] = "id", order: Literal["asc", "desc"] = "asc") -> Rows:
        return shown(own(org, leaky=leak == "two options" and (sort, order) == ("text", "desc")))

    @app.get("/feed")
    async def feed(org: Org, cursor: str | None = None, limit: int = Query(50, ge=1, le=100)) -> dict[str, Any]:
        if cursor is not None and not cursor.startswith("after-"):
            raise HTTPException(400, "no such cursor")
        after = int((cursor or "after-0")[6:])
        found = [row for row in own(org, leaky=leak == "cursor" and cursor is not None) if row["id"] > after]
        return {"items": shown(found[:limit]), "next": f"after-{found[limit - 1]['id']}" if found[limit:] else None}

    @app.get("/notes/{number}")
    async def one(number: int, org: Org, response: Response, if_none_match: str | None = Header(None)) -> Any:
        def tag(row: dict[str, Any]) -> str:
            return f'"{row["id"] * 7919:x}-{row["version"]}"'

        found = [row for row in own(org, leaky=leak == "tag" and if_none_match is not None) if row["id"] == number]
        if found and if_none_match == tag(found[0]):
            return Response(status_code=304)
        if not found or found[0]["org"] != org:
            raise HTTPException(404, "no such note")
        response.headers["etag"] = tag(found[0])
        return shown(found)[0]

    @app.get("/log")
    async def read_log(org: Org, actor: str | None = None) -> Rows:
        found = [one for one in log if one["org"] == org or (leak == "known word" and actor is not None)]
        return [{"actor": one["actor"], "what": one["what"]} for one in found if actor in (None, one["actor"])]

    @app.get("/check")
    async def check(org: Org, name: str) -> dict[str, bool]:
        if len(name) < 4:
            raise HTTPException(400, f"too short: choose something like {last[0] if leak == 'error' else 'Seaview'}")
        return {"fine": True}

    return app


def office(leak: str) -> FastAPI:
    """Rooms whose states change in bulk, numbered bills, invitations, a hook, jobs, and who is present."""
    app, rooms, bills, uses = FastAPI(), dict[str, dict[str, str]](), Rows(), list[str]()
    invited, hooks, jobs = dict[str, str](), dict[str, str](), dict[str, dict[str, str]]()
    present, latest, kept = dict[str, int](), [""], dict[tuple[str, date, date], int]()

    @app.post("/rooms", status_code=201)
    async def make(text: Text, org: Org) -> dict[str, str]:
        rooms[f"room-{secrets.token_hex(8)}"] = {"org": org, "state": "clean", "text": text}
        return {"id": list(rooms)[-1]}

    @app.get("/rooms")
    async def list_rooms(org: Org) -> Rows:
        return [{"id": key, **row} for key, row in rooms.items() if row["org"] == org]

    @app.post("/rooms/states")
    async def states(
        ids: Annotated[list[str], Body()], state: Annotated[Literal["clean", "dirty"], Body()], org: Org
    ) -> dict[str, int]:
        found = [rooms[one] for one in ids if one in rooms]
        if not found or found[0]["org"] != org:
            raise HTTPException(404, "no such room")
        for row in found if leak == "the rest of a list" else [one for one in found if one["org"] == org]:
            row["state"] = state
        return {"changed": len([one for one in found if one["org"] == org])}

    @app.post("/bills", status_code=201)
    async def bill(text: Text, org: Org) -> dict[str, str]:
        bills.append({"org": org, "number": 1 + len([one for one in bills if one["org"] == org or leak == "number"])})
        return {"number": f"INV-{bills[-1]['number']:05}", "text": text}

    @app.get("/bills")
    async def sums(org: Org, by: Literal["all", "year"] = "all") -> dict[str, int]:
        return {by: len([one for one in bills if one["org"] == org or (leak == "grouping" and by == "year")])}

    @app.get("/bills/report")
    async def report(org: Org, start: Annotated[date, Query(alias="from")], to: date) -> dict[str, int]:
        key = ("" if leak == "kept figures" else org, start, to)
        return {"bills": kept.setdefault(key, len([one for one in bills if one["org"] == org]) if to >= start else 0)}

    @app.post("/invitations", status_code=201)
    async def invite(org: Org) -> dict[str, str]:
        invited[secrets.token_urlsafe(18)] = org
        return {"token": list(invited)[-1]}

    @app.get("/invitations/{token}")
    async def invitation(token: str, org: Org) -> dict[str, bool]:
        if invited.get(token) != org:
            raise HTTPException(410 if token in invited and leak == "token" else 404, "no such invitation")
        return {"open": True}

    @app.put("/hook")
    async def hook(url: Annotated[str, Body(embed=True)], org: Org) -> dict[str, str]:
        hooks["" if leak == "last hook" else org] = url
        return {"url": url}

    @app.post("/hook/test")
    async def test_hook(org: Org) -> dict[str, str]:
        return {"would_call": hooks.get("" if leak == "last hook" else org, "")}

    @app.post("/jobs", status_code=202)
    async def start(org: Org, background: BackgroundTasks) -> dict[str, str]:
        number = secrets.token_hex(8)
        latest[0], jobs[number] = org, {"org": org}

        async def work() -> None:
            await asyncio.sleep(0.005)
            run_as = latest[0] if leak == "job" else org
            jobs[number]["result"] = " ".join(row["text"] for row in rooms.values() if row["org"] == run_as)

        background.add_task(work)
        return {"id": number}

    @app.get("/jobs/{number}")
    async def job(number: str, org: Org) -> dict[str, str]:
        if jobs.get(number, {}).get("org") != org:
            raise HTTPException(404, "no such job")
        return {"result": jobs[number].get("result", "")}

    @app.get("/presence")
    async def presence(org: Org) -> dict[str, int]:
        present[org] = 1
        return {"online": len(present) if leak == "presence" else 1}

    @app.get("/use")
    async def use(org: Org) -> dict[str, int]:
        uses.append(org)
        return {"today": len(uses) if leak == "uses" else uses.count(org)}

    return app


def team(leak: str) -> FastAPI:
    """People who are mentioned, and a socket that is asked for what they are booked for."""
    app, people, bookings = FastAPI(), Rows(), Rows()

    @app.post("/people", status_code=201)
    async def add(email: Text, nickname: Text, org: Org) -> dict[str, str]:
        people.append({"org": org, "email": email, "nickname": nickname})
        return {"email": email}

    @app.post("/comments", status_code=201)
    async def comment(text: Annotated[str, Body(embed=True, max_length=2000)], org: Org) -> dict[str, Any]:
        known = [one for one in people if one["org"] == org or leak == "mention"]
        return {"text": text, "told": [one["nickname"] for one in known if f"@{one['email']}" in text]}

    @app.post("/bookings", status_code=201)
    async def book(wishes: Text, org: Org) -> dict[str, str]:
        bookings.append({"org": org, "wishes": wishes, "code": f"BK-{secrets.token_hex(4)}"})
        return {"code": bookings[-1]["code"]}

    @app.get("/bookings/{code}")
    async def booking(code: str, org: Org) -> dict[str, str]:
        found = [one for one in bookings if (one["org"], one["code"]) == (org, code)]
        if not found:
            raise HTTPException(404, "no such booking")
        return {"wishes": found[0]["wishes"]}

    @app.websocket("/watch")
    async def watch(socket: WebSocket) -> None:
        org = socket.headers["x-tenant"]
        await socket.accept()
        try:
            while True:
                asked = await socket.receive_json()
                found = [one for one in bookings if one["code"] == asked.get("booking")]
                seen = [one["wishes"] for one in found if one["org"] == org or leak == "socket"]
                await socket.send_json({"wishes": seen})
        except WebSocketDisconnect:
            pass

    return app


@pytest.mark.parametrize("leak", ["mention", "socket"])
def test_what_an_address_or_a_code_brings_to_light_is_found(leak: str) -> None:
    assert not harness(team(leak)).run(max_examples=1, seed=1, max_seconds=None).ok


@pytest.mark.parametrize("leak", ["two options", "cursor", "tag", "known word", "error"])
def test_what_shows_in_a_seldom_asked_question_is_found(leak: str) -> None:
    assert not harness(notes(leak)).run(max_examples=1, seed=1, max_seconds=None).ok


OFFICE = ["the rest of a list", "number", "grouping", "token", "last hook", "job", "presence", "uses", "kept figures"]


@pytest.mark.parametrize("leak", OFFICE)
def test_what_shows_only_after_another_org_is_found(leak: str) -> None:
    report = harness(office(leak)).run(max_examples=1, seed=1, max_seconds=None)
    assert not report.ok
    assert not report.vacuous, str(report)


@pytest.mark.parametrize("service", [notes, office, team])
def test_nothing_is_raised_where_nothing_leaks(service: Any) -> None:
    report = harness(service("")).run(max_examples=10, seed=1, max_seconds=None)
    assert report.ok, str(report)
