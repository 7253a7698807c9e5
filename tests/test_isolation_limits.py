"""Limits that an application sets to what it is sent: what lies beyond one says nothing of anybody."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Path, Query
from pydantic import BaseModel

from interlock.testing import IsolationHarness

tenants = itertools.count(70_100)


class Item(BaseModel):
    name: str


def org_of(x_tenant: str = Header()) -> str:
    return x_tenant


def items() -> FastAPI:
    app, rows = FastAPI(), list[tuple[str, str]]()

    @app.post("/items")
    async def add(body: Item, org: str = Depends(org_of)) -> dict[str, Any]:
        rows.append((org, body.name))
        return {"number": len(rows) - 1, "name": body.name}

    @app.get("/items")
    async def read(
        min_price: Annotated[Decimal | None, Query(le=10_000_000)] = None, org: str = Depends(org_of)
    ) -> list[str]:
        return [name for owner, name in rows if owner == org and not min_price]

    @app.get("/items/{number}")
    async def read_one(number: Annotated[int, Path(ge=0, le=1_000_000)], org: str = Depends(org_of)) -> str:
        if number >= len(rows) or rows[number][0] != org:
            raise HTTPException(404, "no such item")
        return rows[number][1]

    return app


def test_a_number_beyond_a_limit_is_not_compared_with_one_within() -> None:
    harness = IsolationHarness(
        items(), create_org=lambda: next(tenants), headers_for=lambda org: {"x-tenant": str(org)}
    )
    report = harness.run(max_examples=3, seed=1, max_seconds=None)
    assert report.ok, str(report)
