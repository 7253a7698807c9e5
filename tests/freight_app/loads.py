"""Loads: ULIDs, redirects after a write, opaque cursors, bulk changes, search by POST."""

from __future__ import annotations

import base64
import json
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from freight_app.store import Own, Row, Store, TheStore, shown, ulid

router = APIRouter(prefix="/{firm}/loads")


class Load(BaseModel):
    truck: str
    cargo: str = Field(min_length=1, max_length=400)
    weight: float = Field(gt=0, le=40_000)
    escort: int | None = None


class Search(BaseModel):
    text: str = ""
    archived: bool = False


class Change(BaseModel):
    load_id: str
    cargo: str


class Bulk(BaseModel):
    changes: list[Change] = Field(min_length=1, max_length=50)


class Batch(BaseModel):
    load_ids: list[str] = Field(min_length=1, max_length=50)


class Assignment(BaseModel):
    driver: int


def pick(store: Store, firm: str, load_id: str, plant: str = "load-of-any") -> Row:
    return store.get("loads", None if store.has(plant) else firm, load_id=load_id)


@router.post("")
async def add(store: TheStore, firm: Own, body: Load) -> RedirectResponse:
    truck = store.find("trucks", None if store.has("load-on-any-truck") else firm, ref=body.truck)
    if truck is None:
        raise HTTPException(422, {"code": "no such truck"})
    escort = store.find("drivers", None if store.has("escort-of-any") else firm, no=body.escort)
    if body.escort is not None and escort is None:
        raise HTTPException(422, {"code": "no such escort"})
    guarded = escort["name"] if escort else "nobody"
    load = store.add(
        "loads",
        firm,
        load_id=ulid(),
        escorted_by=guarded,
        truck_label=truck["label"],
        timeline=[],
        **body.model_dump(),
    )
    load["timeline"].append(f"loaded {body.cargo}")
    store.publish(firm, {"what": "loaded", "load": load["load_id"], "cargo": body.cargo})
    return RedirectResponse(f"/v2/{firm}/loads/{load['load_id']}", status_code=303)


@router.get("")
async def list_loads(store: TheStore, firm: Own, cursor: str | None = None, limit: int = 2) -> dict[str, Any]:
    start, owner = 0, firm
    if cursor is not None:
        try:
            told = json.loads(base64.urlsafe_b64decode(cursor + "=="))
            start = int(told["start"])
        except (ValueError, KeyError, TypeError):
            raise HTTPException(400, {"code": "bad cursor"}) from None
        owner = str(told.get("firm", firm)) if store.has("cursor-names-firm") else firm
    size = min(max(limit, 1), 50)
    found = store.rows("loads", owner)
    raw = json.dumps(
        {"start": start + size, "firm": firm} if start + size < len(found) else {"start": 0, "firm": firm}
    )
    following = base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")
    return {"items": [shown(row) for row in found[start : start + size]], "next_cursor": following}


@router.post("/search")
async def search(store: TheStore, firm: Own, body: Search) -> dict[str, Any]:
    everybody = store.has("search-archive") and body.archived
    found = store.rows("loads", None if everybody else firm, lambda row: body.text in row["cargo"])
    count = len(store.rows("loads", None)) if store.has("search-counts-all") and not body.text else len(found)
    return {"count": count, "hits": [row["cargo"] for row in found]}


@router.post("/bulk")
async def bulk(store: TheStore, firm: Own, body: Bulk) -> dict[str, Any]:
    done = []
    for change in body.changes:
        if store.has("bulk-any") and (row := store.find("loads", None, load_id=change.load_id)):
            row["cargo"] = change.cargo
        if row := store.find("loads", firm, load_id=change.load_id):
            row["cargo"] = change.cargo
            done.append(change.load_id)
    return {"changed": done}


@router.post("/batch")
async def batch(store: TheStore, firm: Own, body: Batch) -> list[dict[str, Any]]:
    first, *others = body.load_ids
    rows = [pick(store, firm, first)]
    rows += [pick(store, firm, other, "batch-first-checked") for other in others]
    return [shown(row) for row in rows]


@router.get("/{load_id}")
async def read(store: TheStore, firm: Own, load_id: str) -> dict[str, Any]:
    if (
        store.has("load-tells")
        and not store.find("loads", firm, load_id=load_id)
        and store.find("loads", None, load_id=load_id)
    ):
        raise HTTPException(403, {"code": "forbidden"})
    return shown(pick(store, firm, load_id))


@router.get("/{load_id}/timeline")
async def timeline(store: TheStore, firm: Own, load_id: str) -> list[str]:
    return list(pick(store, firm, load_id, "timeline-of-any")["timeline"])


@router.post("/{load_id}/assign")
async def assign(store: TheStore, firm: Own, load_id: str, body: Assignment) -> dict[str, Any]:
    load = store.get("loads", firm, load_id=load_id)
    driver = store.find("drivers", None if store.has("assign-any-driver") else firm, no=body.driver)
    if driver is None:
        return {"ok": False, "error": "no such driver"}
    load["driver"] = driver["name"]
    return {"ok": True, "driver": driver["name"]}


invoices = APIRouter(prefix="/{firm}/invoices")


class Invoice(BaseModel):
    load_id: str
    amount: int = Field(ge=1)


@invoices.post("", status_code=201)
async def bill(store: TheStore, firm: Own, body: Invoice) -> dict[str, Any]:
    pick(store, firm, body.load_id, "none")
    number = store.count("invoices" if store.has("numbers-of-all") else ("invoices", firm))
    return shown(store.add("invoices", firm, uid=ulid(), number=number, **body.model_dump()))


@invoices.get("/{uid}")
async def read_invoice(store: TheStore, firm: Own, uid: str) -> dict[str, Any]:
    return shown(store.get("invoices", firm, uid=uid))
