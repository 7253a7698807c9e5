"""Trucks: paged and sorted lists, tags, soft removal, references such as TRK-000017."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Cookie, Header, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field

from freight_app.store import Own, Row, TheStore, shown

router = APIRouter(prefix="/{firm}/trucks")


class Truck(BaseModel):
    plate: str = Field(min_length=4, max_length=24)
    label: str = Field(max_length=200)
    axles: int = Field(default=3, ge=2, le=30)


class TruckChanges(BaseModel):
    label: str | None = None
    axles: int | None = Field(default=None, ge=2, le=30)


def tag(truck: Row) -> str:
    return f'W/"{hashlib.md5(repr(sorted(truck.items())).encode()).hexdigest()[:12]}"'


@router.post("", status_code=201)
async def add(store: TheStore, firm: Own, body: Truck, response: Response) -> dict[str, Any]:
    taken = store.find("trucks", None if store.has("plate-names-holder") else firm, plate=body.plate)
    if taken is not None:
        raise HTTPException(409, {"code": "taken", "by": taken["label"]})
    reference = f"TRK-{store.count('trucks') + 100:06}"
    truck = store.add("trucks", firm, ref=reference, number=store.count(("trucks", firm)), **body.model_dump())
    response.headers["location"] = f"/v2/{firm}/trucks/{reference}"
    store.publish(firm, {"what": "truck added", "label": body.label})
    return {"data": shown(truck)}


@router.get("")
async def list_trucks(
    request: Request,
    store: TheStore,
    firm: Own,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 20,
    sort: Literal["plate", "label", "axles"] = "plate",
) -> dict[str, Any]:
    own = request.query_params.get("as", firm) if store.has("as-query") else firm
    everybody = (store.has("second-page-of-all") and page > 1) or (store.has("sorted-by-axles") and sort == "axles")
    found = store.rows("trucks", None if everybody else own, lambda row: not row.get("removed"))
    found.sort(key=lambda row: row[sort])
    shown_rows = [shown(row) for row in found[(page - 1) * per_page : page * per_page]]
    total = len(store.rows("trucks", None)) if store.has("total-of-all") else len(found)
    more = page * per_page < len(found)
    following = f"/v2/{firm}/trucks?page={page + 1}&per_page={per_page}&sort={sort}" if more else None
    return {"data": shown_rows, "meta": {"total": total}, "links": {"next": following}}


@router.get("/trash")
async def trash(store: TheStore, firm: Own) -> dict[str, Any]:
    found = store.rows("trucks", None if store.has("trash-of-all") else firm, lambda row: bool(row.get("removed")))
    return {"data": [shown(row) for row in found]}


@router.get("/cards/{number}")
async def card(store: TheStore, firm: Own, number: int) -> dict[str, Any]:
    """Each firm counts its trucks from one."""
    key = ("card", number) if store.has("truck-card-cached") else ("card", firm, number)
    if key not in store.cache:
        truck = store.get("trucks", firm, number=number)
        store.cache[key] = {"card": f"{truck['plate']} / {truck['label']}"}
    return store.cache[key]


@router.get("/{truck}")
async def read(store: TheStore, firm: Own, truck: str, response: Response) -> dict[str, Any]:
    row = store.get("trucks", None if store.has("truck-of-any") else firm, ref=truck)
    response.headers["etag"] = tag(row)
    return {"data": shown(row)}


@router.put("/{truck}")
async def replace(
    store: TheStore, firm: Own, truck: str, body: Truck, if_match: Annotated[str, Header()]
) -> dict[str, Any]:
    row = store.find("trucks", None if store.has("replace-tells") else firm, ref=truck)
    if row is None and store.has("replace-any") and (other := store.find("trucks", None, ref=truck)):
        other["label"] = body.label
    if row is None:
        raise HTTPException(404, {"code": "missing", "kind": "trucks"})
    if if_match != tag(row):
        raise HTTPException(412, {"code": "changed meanwhile"})
    row.update(body.model_dump())
    return {"data": shown(row)}


@router.patch("/{truck}")
async def change(store: TheStore, firm: Own, truck: str, body: TruckChanges) -> dict[str, Any]:
    row = store.get("trucks", firm, ref=truck)
    row.update(body.model_dump(exclude_none=True))
    return {"data": shown(row)}


@router.delete("/{truck}", status_code=204)
async def remove(store: TheStore, firm: Own, truck: str) -> None:
    if store.has("remove-any") and (row := store.find("trucks", None, ref=truck)):
        row["removed"] = True
    row = store.get("trucks", firm, ref=truck)
    row["removed"] = True


@router.post("/{truck}/restore")
async def restore(store: TheStore, firm: Own, truck: str) -> dict[str, Any]:
    row = store.get("trucks", None if store.has("restore-any") else firm, ref=truck)
    row["removed"] = False
    return {"restored": truck}


drivers = APIRouter(prefix="/{firm}/drivers")


class Driver(BaseModel):
    name: str = Field(min_length=2)
    licence: str = Field(min_length=6, max_length=40)


@drivers.post("", status_code=201)
async def hire(store: TheStore, firm: Own, body: Driver) -> dict[str, Any]:
    if store.find("drivers", None if store.has("licence-unique") else firm, licence=body.licence):
        raise HTTPException(409, {"code": "licence in use"})
    return shown(store.add("drivers", firm, no=store.count("drivers") + 40, **body.model_dump()))


@drivers.get("")
async def list_drivers(
    request: Request, store: TheStore, firm: Own, prefs: Annotated[str | None, Cookie()] = None
) -> list[dict[str, Any]]:
    own = request.cookies.get("firm", firm) if store.has("firm-cookie") else firm
    return [shown(row) for row in store.rows("drivers", own)]


@drivers.get("/{no}")
async def read_driver(store: TheStore, firm: Own, no: int) -> dict[str, Any]:
    return shown(store.get("drivers", firm, no=no))
