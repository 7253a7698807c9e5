"""The smallest service with a policy: notes in PostgreSQL, and nothing but row-level security between the orgs."""

from __future__ import annotations

import asyncpg
from fastapi import FastAPI, Header
from pydantic import BaseModel

NOTES = """
CREATE TABLE notes (org_id text NOT NULL, text text NOT NULL);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE notes FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON notes USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')));
"""


class Note(BaseModel):
    text: str


def stored_notebook(dsn: str) -> FastAPI:
    """The service, connected as the role of ``dsn``."""
    app = FastAPI()

    async def scoped(org: str, statement: str, *values: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(dsn)
        try:
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.current_org_id', $1, true)", org)
                return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    @app.post("/notes")
    async def add(note: Note, x_tenant: str = Header()) -> None:
        await scoped(x_tenant, "INSERT INTO notes (org_id, text) VALUES ($1, $2)", x_tenant, note.text)

    @app.get("/notes")
    async def read(x_tenant: str = Header()) -> list[str]:
        return [row["text"] for row in await scoped(x_tenant, "SELECT text FROM notes")]

    return app
