"""Shapes of endpoints that the models do not fully tell, each with a leak that is found only if it is driven right."""

from __future__ import annotations

import csv
import io
import itertools
import time
import zipfile
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from pydantic import BaseModel

from interlock.errors import IsolationLeak
from interlock.testing import IsolationHarness

tenants = (f"tenant-{number:06}" for number in itertools.count(1))
Tenant = Annotated[str, Header(alias="x-tenant")]
Rows = dict[int, dict[str, Any]]
Build = Callable[[FastAPI, bool], None]


class Folder(BaseModel):
    title: str
    description: str | None = None
    parent: int | None = None


class Text(BaseModel):
    text: str


class Call(BaseModel):
    method: str = "get"
    params: dict[str, Any] = {}


def folders(app: FastAPI, leaky_parent: bool = False) -> Callable[[str, int], dict[str, Any]]:
    """A collection whose rows may have a parent of the same kind, which the first of an org cannot have."""
    rows: Rows = {}
    numbers = itertools.count(1000)

    def find(tenant: str, number: int, *, anybodys: bool = False) -> dict[str, Any]:
        row = rows.get(number)
        if row is None or (row["tenant"] != tenant and not anybodys):
            raise HTTPException(404, "no such folder")
        return row

    @app.post("/folders", status_code=201)
    async def add(tenant: Tenant, folder: Folder) -> dict[str, Any]:
        if folder.parent is not None:
            find(tenant, folder.parent, anybodys=leaky_parent)
        number = next(numbers)
        rows[number] = {"id": number, "tenant": tenant, **folder.model_dump()}
        return {"id": number, "title": folder.title}

    @app.get("/folders")
    async def everything(tenant: Tenant) -> list[dict[str, Any]]:
        return [{"id": row["id"], "title": row["title"]} for row in rows.values() if row["tenant"] == tenant]

    return lambda tenant, number: find(tenant, number, anybodys=True)


def parent_of_anybody(app: FastAPI, leaky: bool) -> None:
    folders(app, leaky_parent=leaky)


def sparse_fields_of_anybody(app: FastAPI, leaky: bool) -> None:
    find = folders(app)

    @app.get("/folders/{folder}")
    async def read(tenant: Tenant, folder: int, fields: str | None = None) -> dict[str, Any]:
        row = find(tenant, folder)
        if row["tenant"] != tenant and not (leaky and fields):
            raise HTTPException(404, "no such folder")
        wanted = fields.split(",") if fields else ["id", "title", "description"]
        return {key: value for key, value in row.items() if key in wanted}


def name_of_the_callers_choosing(app: FastAPI, leaky: bool) -> None:
    texts: dict[Any, str] = {}

    def key(tenant: str, name: str) -> Any:
        return name if leaky else (tenant, name)

    @app.put("/templates/{name}")
    async def put(tenant: Tenant, name: str, text: Text) -> dict[str, str]:
        texts[key(tenant, name)] = text.text
        return {"name": name}

    @app.get("/templates/{name}")
    async def read(tenant: Tenant, name: str) -> str:
        if key(tenant, name) not in texts:
            raise HTTPException(404, "no such template")
        return texts[key(tenant, name)]


def procedures_in_one_endpoint(app: FastAPI, leaky: bool) -> None:
    find = folders(app)

    @app.post("/rpc")
    async def rpc(tenant: Tenant, call: Call) -> dict[str, Any]:
        try:
            row = find(tenant, int(call.params.get("folder_id", 0)))
        except (HTTPException, ValueError):
            return {"error": "no such folder"}
        return {"result": row["title"]} if leaky or row["tenant"] == tenant else {"error": "no such folder"}


def table_read_by_hand(app: FastAPI, leaky: bool) -> None:
    stock: list[tuple[str, str]] = []

    @app.post("/import")
    async def load(tenant: Tenant, request: Request) -> dict[str, int]:
        rows = [row for row in csv.DictReader(io.StringIO((await request.body()).decode())) if row.get("article")]
        if not rows:
            raise HTTPException(400, "CSV with a column named article")
        stock.extend((tenant, row["article"]) for row in rows)
        return {"imported": len(rows)}

    @app.get("/stock")
    async def read(tenant: Tenant) -> list[str]:
        return [article for owner, article in stock if leaky or owner == tenant]


SHAPES: dict[str, tuple[Build, str]] = {
    "a parent of the same kind": (parent_of_anybody, "POST /folders"),
    "an option that skips the check": (sparse_fields_of_anybody, "GET /folders/{folder}"),
    "a name of the caller's choosing": (name_of_the_callers_choosing, "PUT /templates/{name}"),
    "procedures in one endpoint": (procedures_in_one_endpoint, "POST /rpc"),
    "a table read by hand": (table_read_by_hand, "GET /stock"),
}


def harness(app: FastAPI) -> IsolationHarness:
    return IsolationHarness(app, create_org=lambda: next(tenants), headers_for=lambda org: {"x-tenant": org})


@pytest.mark.parametrize("shape", SHAPES)
def test_the_leak_in_it_is_found(shape: str) -> None:
    build, target = SHAPES[shape]
    app = FastAPI()
    build(app, True)
    with harness(app) as one, pytest.raises(IsolationLeak):
        one.example(None if target.startswith("GET /stock") else target)


@pytest.mark.parametrize("shape", SHAPES)
def test_without_the_leak_it_holds(shape: str) -> None:
    app = FastAPI()
    SHAPES[shape][0](app, False)
    report = harness(app).run(max_examples=10, seed=1, max_seconds=None)
    assert report.ok, str(report)


def test_what_tells_the_time_is_no_leak() -> None:
    app = FastAPI()
    folders(app)

    @app.get("/folders/archive")
    async def archive(tenant: Annotated[str, Depends(lambda: "")]) -> Response:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as file:
            file.writestr(zipfile.ZipInfo("readme.txt", time.localtime()[:6]), "nothing")
        return Response(packed.getvalue(), media_type="application/zip", headers={"x-now": str(int(time.time()))})

    report = harness(app).run(max_examples=10, seed=1, max_seconds=None)
    assert report.ok, str(report)
