"""Enumeration: whatever the application serves is found, or said to be undrivable."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Form, Header, Query, UploadFile, WebSocket
from pydantic import BaseModel, Field
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Host, Match, Mount, Route, Router

from interlock.testing.payloads import Leaf, Plain, TemplateBuilder
from interlock.testing.routes import Endpoint, discover


class Person(BaseModel):
    name: Annotated[str, Field(min_length=2, max_length=30)]
    manager_id: UUID | None = None
    tags: list[str] = []


class Page(BaseModel):
    limit: int = Query(10, le=50)
    q: str | None = None


def trace(x_trace: Annotated[str | None, Header()] = None) -> str | None:
    return x_trace


async def plain(request: object) -> PlainTextResponse:
    return PlainTextResponse("")


class Odd(BaseRoute):
    """A route class nobody has heard of."""

    def matches(self, scope: object) -> tuple[Match, dict[str, object]]:
        return Match.NONE, {}


def build() -> FastAPI:
    app, outer, inner, late, mounted = (
        FastAPI(),
        APIRouter(prefix="/v1"),
        APIRouter(prefix="/in"),
        APIRouter(),
        FastAPI(),
    )

    @inner.get("/people/{person_id}")
    async def read(person_id: int, page: Annotated[Page, Query()], seen: Annotated[str, Depends(trace)]) -> None: ...

    @outer.post("/people")
    async def add(person: Person) -> None: ...

    @outer.post("/files")
    async def upload(file: UploadFile, title: Annotated[str, Form()]) -> None: ...

    outer.include_router(inner)
    app.include_router(outer, prefix="/api")

    @app.get("/hidden/{key}", include_in_schema=False)
    async def hidden(key: UUID) -> None: ...

    app.add_route("/both", plain, methods=["GET", "PUT"])

    @mounted.get("/deep/{key}")
    async def deep(key: str) -> None: ...

    app.mount("/sub", mounted)
    app.router.routes.append(Host("{tenant}.example.com", Router([Route("/hosted", plain)])))
    app.add_route("/raw/{number:int}", plain, methods=["GET"])
    app.router.routes.append(Odd())

    @app.websocket("/live/{room}")
    async def live(socket: WebSocket, room: str) -> None: ...

    app.include_router(late)

    @late.get("/late")  # added after it was included
    async def late_route() -> None: ...

    return app


def endpoint(name: str) -> Endpoint:
    return next(one for one in discover(build()).endpoints if one.name == name)


def test_every_kind_of_route_is_found() -> None:
    names = {one.name for one in discover(build()).endpoints}
    assert names >= {
        "GET /api/v1/in/people/{person_id}",
        "POST /api/v1/people",
        "POST /api/v1/files",
        "GET /hidden/{key}",
        "GET /both",
        "PUT /both",
        "GET /sub/deep/{key}",
        "GET /hosted",
        "GET /raw/{number:int}",
        "WEBSOCKET /live/{room}",
    }


def test_nothing_openapi_lists_is_missing() -> None:
    assert discover(build()).only_in_openapi == []


def test_what_openapi_lists_alone_is_reported() -> None:
    app = build()
    listed = app.openapi()
    listed["paths"]["/ghost"] = {"get": {}}
    assert discover(app).only_in_openapi == ["GET /ghost"]


def test_what_cannot_be_driven_is_reported() -> None:
    assert discover(build()).undrivable == ["/ (Odd)"]


def test_a_starlette_application_is_enumerated() -> None:
    app = Starlette(routes=[Mount("/a", routes=[Route("/b/{key}", plain, methods=["GET", "POST"])])])
    assert [one.name for one in discover(app).endpoints] == ["GET /a/b/{key}", "POST /a/b/{key}"]


def test_parameters_of_models_and_dependencies_are_declared() -> None:
    found = {(one.place, one.name, one.required) for one in endpoint("GET /api/v1/in/people/{person_id}").parameters}
    assert found == {
        ("path", "person_id", True),
        ("query", "limit", False),
        ("query", "q", False),
        ("header", "x-trace", False),
    }


def test_every_string_of_a_body_is_a_leaf_and_ids_are_references() -> None:
    template = TemplateBuilder(endpoint("POST /api/v1/people"), Plain()).build()
    leaves = {leaf.path: leaf.reference for leaf in template.leaves() if isinstance(leaf, Leaf)}
    assert leaves == {"$.name": False, "$.manager_id": True, "$.tags[0]": False}


def test_an_upload_is_multipart() -> None:
    found = endpoint("POST /api/v1/files")
    assert found.body is not None
    assert found.body.media_type == "multipart/form-data"
