"""Documents: stored, deduplicated, exported, linked."""

from __future__ import annotations

import gzip
import hashlib
import io
import secrets
import zipfile
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, HTTPException, Response, UploadFile
from pydantic import BaseModel, Field

from leaky_app.desk import Desk, Org, TheDesk, found

router = APIRouter(tags=["documents"])


class NewDocument(BaseModel):
    name: str = Field(min_length=1, max_length=100)
    content: str = Field(min_length=1, max_length=4000)


async def store(desk: Desk, org: UUID, name: str, content: str) -> dict[str, Any]:
    digest = hashlib.sha256(content.encode()).hexdigest()
    pool: Any = desk.legacy if desk.has("document-dedup-any-org") else desk.pools
    same = await pool.fetchval("SELECT count(*) FROM documents WHERE digest = $1", digest)
    row = await desk.pools.fetchrow(
        "INSERT INTO documents (org_id, name, content, digest) VALUES ($1, $2, $3, $4) RETURNING id, name",
        *(org, name, content, digest),
    )
    await desk.log(org, f"document {name}")
    return {**dict(row), "deduplicated": same > 0}


@router.post("/documents", status_code=201)
async def add(desk: TheDesk, org: Org, body: NewDocument) -> dict[str, Any]:
    return await store(desk, org, body.name, body.content)


@router.post("/documents/upload", status_code=201)
async def upload(desk: TheDesk, org: Org, file: UploadFile) -> dict[str, Any]:
    content = (await file.read()).decode(errors="replace")
    return await store(desk, org, file.filename or "unnamed", content)


@router.get("/documents")
async def list_documents(
    desk: TheDesk, org: Org, response: Response, if_none_match: Annotated[str | None, Header()] = None
) -> Any:
    rows = await desk.pools.fetch("SELECT id, name FROM documents ORDER BY created_at, id")
    answer = [{"id": str(row["id"]), "name": row["name"]} for row in rows]
    tag = f'"{hashlib.sha256(repr(answer).encode()).hexdigest()[:16]}"'
    known = if_none_match in desk.tags if desk.has("etag-of-anybody") else if_none_match == tag
    desk.tags.add(tag)
    if known:
        return Response(status_code=304, headers={"etag": tag})
    response.headers["etag"] = tag
    if desk.has("last-modified-of-everybody"):
        newest = await desk.legacy.fetchval("SELECT max(created_at) FROM documents")
        response.headers["last-modified"] = newest.isoformat()
    return answer


@router.get("/documents/archive.zip")
async def archive(desk: TheDesk, org: Org) -> Response:
    pool: Any = desk.legacy if desk.has("archive-all") else desk.pools
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for row in await pool.fetch("SELECT id, content FROM documents ORDER BY id"):
            target.writestr(f"{row['id']}.txt", row["content"])
    return Response(packed.getvalue(), media_type="application/zip")


@router.get("/documents/dump")
async def dump(desk: TheDesk, org: Org) -> Response:
    pool: Any = desk.legacy if desk.has("dump-gzip-all") else desk.pools
    text = "\n".join(row["content"] for row in await pool.fetch("SELECT content FROM documents ORDER BY id"))
    return Response(gzip.compress(text.encode()), headers={"content-encoding": "gzip"}, media_type="text/plain")


@router.get("/documents/{document_id}")
async def read(desk: TheDesk, org: Org, document_id: UUID) -> dict[str, Any]:
    key = document_id if desk.has("item-cache-before-check") else (org, document_id)
    if key not in desk.items:
        desk.items[key] = found(
            await desk.pools.fetchrow("SELECT id, name, content FROM documents WHERE id = $1", document_id)
        )
    return desk.items[key]


@router.get("/documents/{document_id}/download")
async def download(desk: TheDesk, org: Org, document_id: UUID) -> Response:
    pool: Any = desk.legacy if desk.has("download-any") else desk.pools
    row = found(await pool.fetchrow("SELECT name, content FROM documents WHERE id = $1", document_id))
    return Response(row["content"], headers={"content-disposition": f'attachment; filename="{document_id}.txt"'})


@router.post("/documents/{document_id}/link", status_code=201)
async def link(desk: TheDesk, org: Org, document_id: UUID) -> dict[str, str]:
    found(await desk.pools.fetchrow("SELECT id FROM documents WHERE id = $1", document_id))
    token = secrets.token_urlsafe(18)
    desk.links[token] = (org, document_id)
    return {"url": f"/files/{token}"}


@router.get("/files/{token}")
async def follow(desk: TheDesk, org: Org, token: str) -> Response:
    owner, document_id = desk.links.get(token, (None, None))
    if owner is None or (owner != org and not desk.has("link-for-anybody")):
        raise HTTPException(404, "no such link")
    pool: Any = desk.legacy if desk.has("link-for-anybody") else desk.pools
    row = found(await pool.fetchrow("SELECT content FROM documents WHERE id = $1", document_id))
    return Response(row["content"], media_type="text/plain")
