"""What a harness does with applications that give it nothing to prove, and with other ways in."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel

from interlock.errors import HarnessError
from interlock.testing import IsolationHarness, Shared, Verdict

numbers = itertools.count(1)


class Note(BaseModel):
    text: str


def notebook(*, leaky: bool = False, **options: Any) -> FastAPI:
    """Notes in memory, one list an org; the tenant is a header."""
    app, notes = FastAPI(**options), list[tuple[str, str]]()

    @app.post("/notes", status_code=201)
    async def add(note: Note, x_tenant: str = Header()) -> dict[str, str]:
        notes.append((x_tenant, note.text))
        return {"text": note.text}

    @app.get("/notes")
    async def read(x_tenant: str = Header()) -> list[str]:
        return [text for owner, text in notes if leaky or owner == x_tenant]

    return app


def harness(app: Any, **options: Any) -> IsolationHarness:
    return IsolationHarness(
        app,
        create_org=options.pop("create_org", lambda: f"tenant-{next(numbers):06}"),
        headers_for=lambda org: {"x-tenant": str(org)},
        **options,
    )


def test_a_clean_application_without_database_holds() -> None:
    report = harness(notebook()).run(max_examples=6, seed=1, max_seconds=None)
    assert report.ok, str(report)
    assert "O7 (a row filed under another org) was not run: it needs admin=" in str(report)


def test_a_leaky_application_without_database_leaks() -> None:
    report = harness(notebook(leaky=True)).run(max_examples=6, seed=1, max_seconds=None)
    assert [leak.endpoint for leak in report.leaks] == ["GET /notes"]
    assert report.leaks[0].planted == "body $.text of POST /notes"


def test_async_callables_are_awaited() -> None:
    async def create_org(name: str) -> dict[str, str]:
        return {"id": f"org-{name}"}

    async def headers_for(org: dict[str, str]) -> dict[str, str]:
        return {"X-Tenant": org["id"]}

    found = IsolationHarness(notebook(), create_org=create_org, headers_for=headers_for).run(
        max_examples=3, seed=1, max_seconds=None
    )
    assert found.ok, str(found)


def test_what_is_shared_by_design_is_declared_and_a_stale_declaration_is_told() -> None:
    declared = {"GET /notes": Shared("a public wall"), "POST /notes": "nothing is shared here"}
    report = harness(notebook(leaky=True), shared=declared).run(max_examples=3, seed=1, max_seconds=None)
    assert not report.leaks
    assert "GET /notes is shared by design: a public wall" in str(report)
    assert "POST /notes is declared shared, but nothing shared was seen there" in str(report)


def test_an_endpoint_that_never_succeeds_is_vacuous_unless_declared() -> None:
    def closed() -> FastAPI:
        app = notebook()

        @app.get("/closed")
        async def refuse() -> None:
            raise HTTPException(403, "never")

        return app

    report = harness(closed()).run(max_examples=3, seed=1, max_seconds=None)
    assert report.verdict is Verdict.VACUOUS
    assert not report.ok
    assert [one.subject for one in report.vacuous] == ["GET /closed"]
    assert "never" in report.vacuous[0].reason
    assert (
        harness(closed(), vacuous={"GET /closed": "needs a certificate"})
        .run(max_examples=3, seed=1, max_seconds=None)
        .ok
    )


def test_credentials_that_do_not_reach_the_application_are_vacuous() -> None:
    app = FastAPI()

    @app.post("/notes")
    async def swallow(note: Note) -> None: ...

    report = harness(app).run(max_examples=3, seed=1, max_seconds=None)
    assert report.verdict is Verdict.VACUOUS
    assert "headers_for" in report.vacuous[0].advice


def test_an_application_without_routes_is_vacuous() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    assert harness(app).run(max_examples=3, seed=1, max_seconds=None).verdict is Verdict.VACUOUS


@pytest.mark.timeout(60)
@pytest.mark.parametrize("when", ["a request", "the shutdown"])
def test_an_application_that_cancels_every_task_stops_the_run(when: str) -> None:
    def cancel_all() -> None:
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        if when == "the shutdown":
            cancel_all()

    app = notebook(lifespan=lifespan)

    @app.get("/tasks")
    async def tasks() -> None:
        if when == "a request":
            cancel_all()

    with pytest.raises(HarnessError, match="cancelled the harness"):
        harness(app).run(max_examples=2, seed=1)
    assert "interlock-isolation" not in {thread.name for thread in threading.enumerate()}


def test_a_failing_start_up_stops_with_its_cause() -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        raise RuntimeError("no database here")
        yield

    with pytest.raises(HarnessError, match="no database here"):
        harness(notebook(lifespan=lifespan)).run(max_examples=1, max_seconds=None)


def test_a_failing_create_org_stops_with_its_cause() -> None:
    def create_org() -> str:
        raise ConnectionError("billing is down")

    with pytest.raises(HarnessError, match="billing is down"):
        harness(notebook(), create_org=create_org).run(max_examples=1, max_seconds=None)


def test_the_same_org_twice_stops() -> None:
    with pytest.raises(HarnessError, match="same org twice"):
        harness(notebook(), create_org=lambda: "always").run(max_examples=1, max_seconds=None)


def test_missing_callables_and_unknown_oracles_stop() -> None:
    with pytest.raises(HarnessError, match="create_org"):
        IsolationHarness(notebook()).run()
    with pytest.raises(HarnessError, match="O99"):
        harness(notebook(), without={"O99"}).run()
    with pytest.raises(ValueError, match="at least 1"):
        harness(notebook()).run(max_examples=0, max_seconds=None)


def test_an_unreachable_admin_stops_with_advice() -> None:
    with pytest.raises(HarnessError, match="BYPASSRLS"):
        harness(notebook(), admin="postgresql://nobody@127.0.0.1:1/none").run(max_examples=1, max_seconds=None)


class InMemory(IsolationHarness):
    """The protocol of the reference: no HTTP at all."""

    leaky = False

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, Any]] = []

    def create_org(self) -> dict[str, Any]:
        return {"id": f"org-{next(numbers):06}"}

    async def write_as_org(self, org: dict[str, Any], endpoint: str, payload: dict[str, Any]) -> dict[str, Any]:
        row = {**payload, "id": f"row-{next(numbers)}", "org": org["id"]}
        self.rows.append(row)
        return {"id": row["id"]}

    async def read_as_org(self, org: dict[str, Any], endpoint: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if self.leaky or row["org"] == org["id"]]

    def list_all_read_endpoints(self) -> list[str]:
        return ["/api/people"]

    def list_all_write_endpoints(self) -> list[str]:
        return ["POST /api/people"]

    def reset_db(self) -> None:
        self.rows.clear()


class Leaky(InMemory):
    leaky = True


def test_the_reference_protocol_holds_and_leaks() -> None:
    assert InMemory().run(max_examples=4, seed=1, max_seconds=None).ok
    (leak,) = Leaky().run(max_examples=4, seed=1, max_seconds=None).leaks
    assert leak.endpoint == "GET /api/people"


def test_the_same_seed_sends_the_same_requests() -> None:
    first, second = (harness(notebook()).run(max_examples=8, seed=11, max_seconds=None) for _ in range(2))
    assert first.coverage.sent == second.coverage.sent
    assert first.to_json()["verdicts"] == second.to_json()["verdicts"]
