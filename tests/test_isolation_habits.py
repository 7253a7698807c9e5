"""Habits of services that the harness must be able to drive, each clean and with the leak it is there to hide."""

from __future__ import annotations

import datetime
import hmac
import itertools
import random
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from interlock.errors import IsolationLeak
from interlock.testing import IsolationHarness
from interlock.testing.oracles.questions import unsteady
from interlock.testing.values import Mint

Row = dict[str, Any]
tenants = itertools.count(1)


class Rows(list[Row]):
    """Every org's rows; ``leaky`` readers see all of them."""

    def of(self, org: str, *, leaky: bool = False) -> list[Row]:
        return [row for row in self if leaky or row["org"] == org]

    def make(self, org: str, **row: Any) -> Row:
        self.append({"id": len(self) + 1, "org": org, **row})
        return self[-1]

    def get(self, org: str, number: object, *, leaky: bool = False) -> Row:
        found = [row for row in self.of(org, leaky=leaky) if row["id"] == number]
        if not found:
            raise HTTPException(404, "not found")
        return found[0]


class Shipment(BaseModel):
    weight: float = Field(gt=0, le=900)
    stars: int = Field(ge=1, le=5)


class Command(BaseModel):
    method: Literal["note.count", "note.get"]
    params: dict[str, Any] = {}


class Visit(BaseModel):
    on: datetime.datetime
    notes: str


def org_of(x_tenant: str = Header()) -> str:
    return x_tenant


def shipments(*, leaky: str = "") -> FastAPI:
    """Figures over numbers: each a way in which another org's rows show without being shown."""
    app, rows = FastAPI(), Rows()

    @app.post("/shipments", status_code=201)
    async def add(body: Shipment, org: str = Depends(org_of)) -> Row:
        return {"id": rows.make(org, **body.model_dump())["id"]}

    @app.get("/figures")
    async def figures(org: str = Depends(org_of)) -> Row:
        def weights(what: str) -> list[float]:
            return [row["weight"] for row in rows.of(org, leaky=what == leaky)] or [0.0]

        stars = [row["stars"] for row in rows.of(org, leaky=leaky == "stars")] or [0]
        average = weights("average")
        return {
            "average": sum(average) / len(average),
            "heaviest": max(weights("heaviest")),
            "lightest": min(weights("lightest")),
            "sum": sum(weights("sum")),
            "stars": sum(stars) / len(stars),
        }

    return app


def one_endpoint(*, leaky: str = "") -> FastAPI:
    """Much is done by one endpoint, which is told what to do."""
    app, rows = FastAPI(), Rows()

    @app.post("/notes", status_code=201)
    async def add(text: Annotated[str, Body(embed=True)], org: str = Depends(org_of)) -> Row:
        return {"note_id": rows.make(org, text=text)["id"]}

    @app.post("/rpc")
    async def rpc(body: Command, org: str = Depends(org_of)) -> Row:
        if body.method == "note.count":
            return {"result": len(rows.of(org))}
        found = [row for row in rows.of(org, leaky=leaky == "get") if row["id"] == body.params.get("note_id")]
        return {"result": found[0]["text"]} if found else {"error": "not found"}

    @app.post("/query")
    async def query(query: Row, org: str = Depends(org_of)) -> Row:
        if query.get("query") == "notes":
            return {"data": [row["text"] for row in rows.of(org, leaky=leaky == "list")]}
        return {"errors": ["unknown field"]}

    return app


def signed_links(*, leaky: str = "") -> FastAPI:
    app, rows, router = FastAPI(), Rows(), APIRouter(prefix="/files")

    def sign(number: int) -> str:
        return hmac.digest(b"key", str(number).encode(), "sha256").hex()[:24]

    @router.post("")
    async def upload(body: Row, org: str = Depends(org_of)) -> Row:
        number = rows.make(org, content=str(body))["id"]
        return {"link": f"/files/{number}?signature={sign(number)}"}

    @router.get("/{number}")
    async def download(number: int, signature: str = "", org: str = Depends(org_of)) -> Row:
        if signature != sign(number):
            raise HTTPException(403, "not signed")
        return {"content": rows.get(org, number, leaky=leaky == "signature")["content"]}

    app.include_router(router)
    return app


def forms(*, leaky: str = "") -> Starlette:
    """Plain Starlette: forms, redirects, no declared body anywhere."""
    rows = Rows()

    async def add(request: Request) -> Response:
        form = await request.form()
        if not form.get("surname"):
            return Response("surname is missing", 422)
        row = rows.make(request.headers["x-tenant"], surname=str(form["surname"]), marks=[])
        return RedirectResponse(f"/pupils/{row['id']}", 303)

    async def read(request: Request) -> Response:
        row = rows.get(request.headers["x-tenant"], request.path_params["pupil"], leaky=leaky == "read")
        return Response(f"<h1>{row['surname']}</h1> {row['marks']}")

    async def mark(request: Request) -> Response:
        row = rows.get(request.headers["x-tenant"], request.path_params["pupil"], leaky=leaky == "mark")
        row["marks"].append(int((await request.json())["points"]))
        return JSONResponse({"kept": True})

    async def remove(request: Request) -> Response:
        rows.remove(rows.get(request.headers["x-tenant"], request.path_params["pupil"], leaky=leaky == "remove"))
        return RedirectResponse("/", 303)

    return Starlette(
        routes=[
            Route("/pupils/new", add, methods=["POST"]),
            Route("/pupils/{pupil:int}", read),
            Route("/pupils/{pupil:int}/delete", remove, methods=["POST"]),
            Route("/pupils/{pupil:int}/marks", mark, methods=["POST"]),
        ]
    )


SERVICES: dict[Callable[..., Any], dict[str, tuple[str, str]]] = {
    shipments: dict.fromkeys(("average", "heaviest", "lightest", "sum", "stars"), ("O3", "GET /figures")),
    one_endpoint: {"get": ("O1", "POST /rpc"), "list": ("O1", "POST /query")},
    signed_links: {"signature": ("O1", "GET /files/{number}")},
    forms: {
        "read": ("O1", "GET /pupils/{pupil:int}"),
        "mark": ("O4", "POST /pupils/{pupil:int}/marks"),
        "remove": ("O4", "POST /pupils/{pupil:int}/delete"),
    },
}


def harness(app: Any) -> IsolationHarness:
    def create_org() -> str:
        return f"tenant-{next(tenants):06}"

    return IsolationHarness(app, create_org=create_org, headers_for=lambda org: {"x-tenant": org})


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.__name__)
def test_the_clean_service_holds_and_every_endpoint_is_driven(service: Callable[..., Any]) -> None:
    report = harness(service()).run(max_examples=6, seed=1, max_seconds=None)
    assert report.ok, str(report)


@pytest.mark.parametrize(
    ("service", "leaky"), [(service, leaky) for service, leaks in SERVICES.items() for leaky in leaks]
)
def test_what_it_hides_is_found(service: Callable[..., Any], leaky: str) -> None:
    code, target = SERVICES[service][leaky]
    with harness(service(leaky=leaky)) as one:
        with pytest.raises(IsolationLeak) as caught:
            one.example()
        assert (caught.value.leak.oracle, caught.value.leak.endpoint) == (code, target)


def test_an_id_that_looks_like_the_beginning_of_a_canary_is_no_leak() -> None:
    """Eight characters can be chance: a cut canary counts only if it names an org of this run."""
    app, calls = FastAPI(), itertools.count()

    @app.get("/ids")
    async def ids(org: str = Depends(org_of)) -> list[str]:
        return [f"01JDKPKEFT9AYS5S4QZ7KTT{next(calls) % 7 + 2}"]

    report = harness(app).run(max_examples=3, seed=1, max_seconds=None)
    assert report.ok, str(report)


def test_a_date_to_search_from_is_no_search_for_text() -> None:
    app, rows = FastAPI(), Rows()

    @app.post("/visits")
    async def add(body: Visit, org: str = Depends(org_of)) -> None:
        rows.make(org, **body.model_dump())

    @app.get("/visits")
    async def search(since: datetime.date | None = None, org: str = Depends(org_of)) -> list[str]:
        return [row["notes"] for row in rows.of(org) if since is None or row["on"].date() >= since]

    report = harness(app).run(max_examples=4, seed=1, max_seconds=None)
    assert report.ok, str(report)


@pytest.mark.parametrize(
    "schema", [{"type": "integer", "minimum": 1, "maximum": 5}, {"type": "number", "exclusiveMinimum": 0}]
)
def test_extreme_numbers_are_allowed_and_lie_round_the_others(schema: Row) -> None:
    mint = Mint()
    extreme = [mint.number("x", schema, extreme=True) for _ in range(40)]
    others = [mint.number("x", schema, extreme=False) for _ in range(40)]
    assert max(extreme) > max(others) >= min(others) > min(extreme)
    assert schema.get("minimum", 0) <= min(extreme)
    assert max(extreme) <= schema.get("maximum", 10_000)


def test_ten_readings_tell_a_choice_among_a_few_from_what_stays_and_from_what_drifts() -> None:
    for seed in range(1000):
        chance = random.Random(seed)
        readings = [{"one of four": chance.choice("abcd"), "stays": "x", "drifts": 7 + 2 * at} for at in range(10)]
        assert unsteady(readings) == {"one of four"}


def test_what_is_one_of_a_few_at_random_is_no_difference() -> None:
    app, rows, chance = FastAPI(), Rows(), random.Random(7)

    @app.middleware("http")
    async def answer(request: Request, call_next: Any) -> Response:
        response = await call_next(request)
        response.headers["x-served-by"] = chance.choice(("north", "south"))
        return response  # type: ignore[no-any-return]

    @app.post("/notes")
    async def add(text: Annotated[str, Body(embed=True)], org: str = Depends(org_of)) -> Row:
        return {"id": rows.make(org, text=text)["id"]}

    @app.get("/notes/{number}")
    async def read(number: int, org: str = Depends(org_of)) -> Row:
        return rows.get(org, number)

    @app.get("/tips")
    async def tips(since: datetime.date | None = None, org: str = Depends(org_of)) -> list[str]:
        return chance.sample(["one", "two", "three", "four"], 4)

    report = harness(app).run(max_examples=12, seed=1, max_seconds=None)
    assert report.ok, str(report)
