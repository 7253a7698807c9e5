"""Two references in one request: what is said of any two is no leak, what is said of another org's alone is one."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import pytest
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

from interlock.testing import IsolationHarness

tenants = itertools.count(1)


class Supplier(BaseModel):
    name: str


class Merge(BaseModel):
    into: uuid.UUID


class Pair(BaseModel):
    left_id: uuid.UUID
    right_id: uuid.UUID


def org_of(x_tenant: str = Header()) -> str:
    return x_tenant


def suppliers(*, leaky: bool) -> FastAPI:
    app, rows = FastAPI(), dict[uuid.UUID, dict[str, Any]]()

    @app.post("/suppliers")
    async def add(body: Supplier, org: str = Depends(org_of)) -> dict[str, Any]:
        key = uuid.uuid4()
        rows[key] = {"id": key, "org": org, "name": body.name}
        return {"id": key, "name": body.name}

    @app.get("/suppliers")
    async def read(org: str = Depends(org_of)) -> list[str]:
        return [row["name"] for row in rows.values() if row["org"] == org]

    @app.post("/suppliers/{supplier_id}/merge")
    async def merge(supplier_id: uuid.UUID, body: Merge, org: str = Depends(org_of)) -> dict[str, Any]:
        if supplier_id == body.into:
            raise HTTPException(409, "a supplier cannot be merged into itself")
        owners = [rows[key]["org"] for key in (supplier_id, body.into) if key in rows]
        if leaky and len(owners) == 2 and org not in owners:
            raise HTTPException(403, "these are somebody else's")
        if owners != [org, org]:
            raise HTTPException(404, "no such supplier")
        return {"into": body.into}

    @app.post("/compare")
    async def compare(body: Pair, org: str = Depends(org_of)) -> dict[str, Any]:
        own = [key for key in (body.left_id, body.right_id) if rows.get(key, {}).get("org") == org]
        if not own:
            raise HTTPException(404, {"equal": body.left_id == body.right_id})
        return {"equal": body.left_id == body.right_id}

    return app


@pytest.mark.parametrize("leaky", [False, True])
def test_two_slots_take_two_rows_and_one_row_in_both_is_compared_with_one_of_nothing(leaky: bool) -> None:
    def create_org() -> str:
        return f"tenant-{next(tenants):06}"

    app = suppliers(leaky=leaky)
    harness = IsolationHarness(app, create_org=create_org, headers_for=lambda org: {"x-tenant": org})
    report = harness.run(max_examples=4, seed=1, max_seconds=None)
    assert [leak.oracle for leak in report.leaks] == (["O4"] if leaky else []), str(report)
