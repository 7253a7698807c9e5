"""What a story needs to go on: new rows for those it used up, each choice once, and threads that requests share."""

from __future__ import annotations

import itertools
import threading
import uuid
from typing import Annotated, Any, Literal

import pytest
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

from interlock.testing import IsolationHarness

tenants = itertools.count(1)
Rows = dict[uuid.UUID, dict[str, Any]]


def org_of(x_tenant: str = Header()) -> str:
    return x_tenant


Org = Annotated[str, Depends(org_of)]


class Supplier(BaseModel):
    name: str


class Order(BaseModel):
    supplier_id: uuid.UUID
    note: str
    price: int = 1
    priority: Literal["normal", "rush", "urgent"] = "normal"


class Orders(BaseModel):
    orders: list[Order]


def purchases(leak: str) -> FastAPI:
    """Suppliers that can all be closed for good, and orders from those that are open."""
    app, suppliers, orders = FastAPI(), Rows(), list[dict[str, Any]]()

    def supplier(org: str, key: uuid.UUID, *, leaky: bool = False) -> dict[str, Any]:
        found = suppliers.get(key)
        if found is None or (found["org"] != org and not leaky):
            raise HTTPException(404, "no such supplier")
        return found

    def ordered(org: str, one: Order, *, leaky: bool = False) -> dict[str, Any]:
        found = supplier(org, one.supplier_id, leaky=leaky)
        orders.append({"org": org, **one.model_dump()})
        return {"from": found["name"], "note": one.note}

    @app.post("/suppliers", status_code=201)
    def add(body: Supplier, org: Org) -> dict[str, Any]:
        key = uuid.uuid4()
        suppliers[key] = {"org": org, **body.model_dump()}
        return {"id": key, "name": body.name}

    @app.get("/suppliers")
    def read(org: Org) -> list[str]:
        return [row["name"] for row in suppliers.values() if row["org"] == org]

    @app.post("/suppliers/close")
    def close(org: Org) -> dict[str, Any]:
        own = [key for key, row in suppliers.items() if row["org"] == org]
        for key in own:
            del suppliers[key]
        return {"closed": len(own)}

    @app.post("/orders", status_code=201)
    def order(body: Order, org: Org) -> dict[str, Any]:
        return ordered(org, body, leaky=leak == "reference")

    @app.post("/orders/bulk", status_code=201)
    def bulk(body: Orders, org: Org) -> list[dict[str, Any]]:
        return [ordered(org, one, leaky=leak == "second" and bool(n)) for n, one in enumerate(body.orders)]

    @app.get("/orders")
    def history(org: Org) -> list[dict[str, Any]]:
        shown = [one for one in orders if one["org"] == org or (leak == "urgent" and one["priority"] == "urgent")]
        return [{"note": one["note"], "priority": one["priority"]} for one in shown]

    @app.get("/dearest")
    def dearest(org: Org) -> dict[str, Any]:
        return {"price": max((one["price"] for one in orders if one["org"] == org or leak == "record"), default=0)}

    return app


def harness(app: FastAPI) -> IsolationHarness:
    def create_org() -> str:
        return f"tenant-{next(tenants):06}"

    return IsolationHarness(app, create_org=create_org, headers_for=lambda org: {"x-tenant": org})


def test_the_service_without_a_leak_is_clean() -> None:
    report = harness(purchases("")).run(max_examples=30, seed=1)
    assert report.ok, str(report)


@pytest.mark.parametrize(
    ("leak", "endpoint"),
    [
        ("urgent", "GET /orders"),
        ("reference", "POST /orders"),
        ("second", "POST /orders/bulk"),
        ("record", "GET /dearest"),
    ],
)
def test_it_is_found_in_the_first_example(leak: str, endpoint: str) -> None:
    report = harness(purchases(leak)).run(max_examples=1, seed=1)
    assert report.leaks, f"{leak} was not found:\n{report}"
    assert report.leaks[0].endpoint == endpoint


def remembering(*, leaky: bool) -> FastAPI:
    """A service whose synchronous endpoints keep who asks in the thread, and one that forgets to set it anew."""
    app, notes, thread = FastAPI(), list[dict[str, str]](), threading.local()

    @app.post("/notes", status_code=201)
    def add(body: dict[str, str], org: Org) -> dict[str, str]:
        thread.org = org
        notes.append({"org": org, "text": str(body.get("note"))})
        return {"text": notes[-1]["text"]}

    @app.get("/notes")
    def read(org: Org) -> list[str]:
        if not leaky or not hasattr(thread, "org"):
            thread.org = org
        return [note["text"] for note in notes if note["org"] == thread.org]

    return app


@pytest.mark.parametrize("leaky", [False, True])
def test_what_a_request_leaves_in_its_thread_is_there_for_the_next(leaky: bool) -> None:
    report = harness(remembering(leaky=leaky)).run(max_examples=4, seed=1)
    assert bool(report.leaks) == leaky, str(report)
