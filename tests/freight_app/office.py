"""Everything else: settings, files, exports, jobs, figures, links, hooks, notes, and the old interface."""

from __future__ import annotations

import asyncio
import base64
import csv
import gzip
import io
import json
import secrets
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, HTTPException, Query, Request, Response, UploadFile
from fastapi.responses import PlainTextResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel, HttpUrl
from starlette.endpoints import HTTPEndpoint
from starlette.responses import JSONResponse

from freight_app.store import Caller, Own, Row, Store, TheStore, caller, shown, store_of, ulid

router = APIRouter(prefix="/{firm}")


class Setting(BaseModel):
    value: str


class Job(BaseModel):
    title: str


class Target(BaseModel):
    target: str


class Hook(BaseModel):
    url: HttpUrl


@router.put("/settings/{key}")
async def save(store: TheStore, firm: Own, key: str, body: Setting) -> dict[str, str]:
    owner = "" if store.has("settings-by-key") else firm
    row = store.find("settings", owner, key=key) or store.add("settings", owner, key=key)
    row["value"] = body.value
    return {"key": key, "value": body.value}


@router.get("/settings/{key}")
async def setting(store: TheStore, firm: Own, key: str) -> dict[str, Any]:
    return shown(store.get("settings", "" if store.has("settings-by-key") else firm, key=key))


@router.post("/files")
async def upload(store: TheStore, firm: Own, file: UploadFile) -> dict[str, str]:
    content = (await file.read()).decode(errors="replace")
    row = store.add("files", firm, handle=secrets.token_hex(8), name=file.filename, content=content)
    return {"handle": row["handle"]}


@router.get("/files/{handle}/raw")
async def download(store: TheStore, firm: Own, handle: str) -> Response:
    row = store.get("files", None if store.has("file-of-any") else firm, handle=handle)
    return Response(row["content"], media_type="application/octet-stream")


@router.put("/blobs/{name}", status_code=204)
async def put_blob(store: TheStore, firm: Own, name: str, request: Request) -> None:
    key = ("blob", name) if store.has("blob-by-name") else ("blob", firm, name)
    store.cache[key] = await request.body()


@router.get("/blobs/{name}")
async def get_blob(store: TheStore, firm: Own, name: str) -> Response:
    content = store.cache.get(("blob", name) if store.has("blob-by-name") else ("blob", firm, name))
    if content is None:
        raise HTTPException(404, {"code": "missing", "kind": "blob"})
    return Response(content)


@router.get("/exports/loads")
async def export(store: TheStore, firm: Own, format: str = "csv") -> Response:
    everybody = (format == "ndjson" and store.has("export-ndjson")) or (
        format == "packed" and store.has("export-packed")
    )
    rows = [shown(row) for row in store.rows("loads", None if everybody else firm)]
    if format == "ndjson":
        return StreamingResponse((json.dumps(row) + "\n" for row in rows), media_type="application/x-ndjson")
    if format == "packed":
        packed = base64.b64encode(gzip.compress(json.dumps(rows).encode())).decode()
        return JSONResponse({"name": "loads.json.gz", "content": packed})
    if format != "csv":
        raise HTTPException(400, {"code": "unknown format"})
    text = io.StringIO()
    csv.writer(text).writerows([[row["load_id"], row["cargo"]] for row in rows])
    return PlainTextResponse(text.getvalue(), media_type="text/csv")


@router.post("/jobs", status_code=202)
async def start_job(store: TheStore, firm: Own, body: Job) -> dict[str, Any]:
    job = store.add("jobs", firm, job_id=ulid(), title=body.title, state="queued", result=None)
    store.last_firm, previous = firm, store.last_firm
    task = asyncio.create_task(_run(store, job, previous if store.has("job-under-last") and previous else firm))
    store.cache["task", job["job_id"]] = task
    return {"job_id": job["job_id"], "state": "queued"}


async def _run(store: Store, job: Row, firm: str) -> None:
    await asyncio.sleep(0.02)
    job["result"] = [row["cargo"] for row in store.rows("loads", firm)]
    job["state"] = "done"


@router.get("/jobs/{job_id}")
async def read_job(store: TheStore, firm: Own, job_id: str) -> dict[str, Any]:
    return shown(store.get("jobs", None if store.has("job-of-any") else firm, job_id=job_id))


@router.get("/figures")
async def figures(store: TheStore, firm: Own) -> dict[str, Any]:
    average = [row["weight"] for row in store.rows("loads", None if store.has("average-of-all") else firm)]
    record = [row["weight"] for row in store.rows("loads", None if store.has("heaviest-of-all") else firm)]
    return {"average": round(sum(average) / len(average), 3) if average else None, "heaviest": max(record, default=0)}


@router.post("/links", status_code=201)
async def shorten(store: TheStore, firm: Own, body: Target) -> dict[str, str]:
    code = secrets.token_urlsafe(6)
    store.add("links", firm, code=code, target=body.target)
    return {"short": f"/v2/{firm}/r/{code}"}


@router.get("/r/{code}")
async def follow(store: TheStore, firm: Own, code: str) -> RedirectResponse:
    row = store.get("links", None if store.has("redirect-of-any") else firm, code=code)
    return RedirectResponse(f"https://example.com/{row['target']}", status_code=307)


@router.post("/hooks", status_code=201)
async def add_hook(store: TheStore, firm: Own, body: Hook) -> dict[str, Any]:
    return {"hook_id": store.add("hooks", firm, hook_id=ulid(), url=str(body.url), deliveries=[])["hook_id"]}


@router.get("/hooks/{hook_id}/deliveries")
async def deliveries(store: TheStore, firm: Own, hook_id: str) -> list[Row]:
    return store.get("hooks", firm, hook_id=hook_id)["deliveries"]  # type: ignore[no-any-return]


accounts = APIRouter()


@accounts.get("/whoami")
async def whoami(store: TheStore, firm: Caller) -> dict[str, str]:
    if store.has("whoami-cached"):
        return store.cache.setdefault("whoami", {"firm": firm})  # type: ignore[no-any-return]
    return {"firm": firm}


@accounts.post("/session/end", status_code=204)
async def log_out(store: TheStore, firm: Caller, request: Request) -> None:
    store.sessions.pop(request.headers.get("authorization", "").partition(" ")[2], None)


class Notes(HTTPEndpoint):
    """A Starlette endpoint: declares nothing."""

    async def get(self, request: Request) -> Response:
        store = await store_of(request)
        firm = await caller(request)
        wanted = request.query_params.get("contains", "")
        found = store.rows("notes", None if store.has("notes-of-all") else firm, lambda row: wanted in row["text"])
        return JSONResponse([row["text"] for row in found])

    async def post(self, request: Request) -> Response:
        body = await request.json()
        store, firm = await store_of(request), await caller(request)
        store.add("notes", firm, text=str(body["text"]))
        return JSONResponse({"kept": True}, status_code=201)


def old_interface(store: Store) -> FastAPI:
    """What partners still use: 200 whatever happens."""
    old = FastAPI()
    old.state.store = store

    @old.get("/truck")
    async def truck(firm: Caller, ref: Annotated[str, Query()]) -> dict[str, Any]:
        row = store.find("trucks", None if store.has("legacy-any") else firm, ref=ref)
        return {"success": True, "truck": shown(row)} if row else {"success": False, "error": "not found"}

    return old
