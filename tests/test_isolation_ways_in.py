"""Other ways to an application and to a database: a served port, no lifespan, roles that RLS does not bind."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import pytest
import uvicorn
from fastapi import FastAPI, Header
from pydantic import BaseModel

from interlock.testing import EmbeddedPostgres, IsolationHarness, Verdict

numbers = itertools.count(1)


class Note(BaseModel):
    text: str


def notebook(*, leaky: bool) -> FastAPI:
    app, notes = FastAPI(), list[tuple[str, str]]()

    @app.post("/notes", status_code=201)
    async def add(note: Note, x_tenant: str = Header()) -> None:
        notes.append((x_tenant, note.text))

    @app.get("/notes")
    async def read(x_tenant: str = Header()) -> list[str]:
        return [text for owner, text in notes if leaky or owner == x_tenant]

    return app


def harness(app: Any, **options: Any) -> IsolationHarness:
    def create_org() -> str:
        return f"tenant-{next(numbers):06}"

    return IsolationHarness(app, create_org=create_org, headers_for=lambda org: {"x-tenant": org}, **options)


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The application behind a real server, on a port of its choosing."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    ready = threading.Event()
    startup = server.startup

    async def started(*arguments: Any, **named: Any) -> None:
        await startup(*arguments, **named)
        ready.set()

    server.startup = started  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert ready.wait(60), "the server did not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("leaky", [False, True])
def test_over_http_it_holds_and_leaks(leaky: bool) -> None:
    app = notebook(leaky=leaky)
    with served(app) as base_url:
        report = harness(app, base_url=base_url).run(max_examples=3, seed=1, max_seconds=None)
    assert report.ok is not leaky, str(report)
    assert [leak.endpoint for leak in report.leaks] == ["GET /notes"] * leaky


def test_an_application_that_knows_no_lifespan_is_driven_without() -> None:
    inner = notebook(leaky=False)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http", "this application speaks nothing but HTTP"
        await inner(scope, receive, send)

    app.app = inner  # type: ignore[attr-defined]  # as wrappers keep what they wrap
    assert harness(app).run(max_examples=3, seed=1, max_seconds=None).ok


def test_time_that_is_up_is_a_vacuous_verdict() -> None:
    report = harness(notebook(leaky=False)).run(max_examples=3, seed=1, max_seconds=0)
    assert report.verdict is Verdict.VACUOUS
    assert "max_seconds" in str(report)


TABLE = """
CREATE TABLE notes (org_id text NOT NULL, text text NOT NULL);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_org ON notes USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')));
"""


def pooled(dsn: str) -> FastAPI:
    """An application with a pool of its own."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
            app.state.pool = pool
            yield

    return FastAPI(lifespan=lifespan)


def stored_notebook(dsn: str) -> FastAPI:
    app = pooled(dsn)

    async def scoped(org: str, statement: str, *values: str) -> list[asyncpg.Record]:
        async with app.state.pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT set_config('app.current_org_id', $1, true)", org)
            return await connection.fetch(statement, *values)

    @app.post("/notes")
    async def add(note: Note, x_tenant: str = Header()) -> None:
        await scoped(x_tenant, "INSERT INTO notes (org_id, text) VALUES ($1, $2)", x_tenant, note.text)

    @app.get("/notes")
    async def read(x_tenant: str = Header()) -> list[str]:
        # It filters by itself, so nothing leaks; but the policy is not tested.
        return [r["text"] for r in await scoped(x_tenant, "SELECT text FROM notes WHERE org_id = $1", x_tenant)]

    return app


BECAUSE = {
    "a superuser": "a superuser",
    "a role with BYPASSRLS": "it has BYPASSRLS",
    "the owner, without FORCE": "it owns tables",
}
BYPASSING = {
    "a superuser": "ALTER ROLE bypassing SUPERUSER",
    "a role with BYPASSRLS": "ALTER ROLE bypassing BYPASSRLS",
    "the owner, without FORCE": "ALTER TABLE notes OWNER TO bypassing",
}


@pytest.mark.parametrize("how", BYPASSING)
def test_a_role_that_rls_does_not_bind_is_vacuous(postgres_cluster: EmbeddedPostgres, database: str, how: str) -> None:
    execute = postgres_cluster.execute
    execute("DROP ROLE IF EXISTS bypassing")
    execute("CREATE ROLE bypassing LOGIN")
    execute(TABLE + "GRANT ALL ON notes TO bypassing;" + BYPASSING[how], database=database)
    try:
        report = harness(
            stored_notebook(postgres_cluster.dsn("bypassing", database)),
            admin=postgres_cluster.dsn(database=database),
        ).run(max_examples=2, seed=1, max_seconds=None)
        assert report.verdict is Verdict.VACUOUS, str(report)
        assert [one.subject for one in report.vacuous] == ["the database role"]
        assert not report.ok
        assert f"bypassing ({BECAUSE[how]})" in report.vacuous[0].reason
        assert "not tested" in str(report)
        assert "BYPASSRLS" in report.vacuous[0].advice
        execute(
            "ALTER ROLE bypassing NOSUPERUSER NOBYPASSRLS; ALTER TABLE notes FORCE ROW LEVEL SECURITY",
            database=database,
        )
        bound = harness(
            stored_notebook(postgres_cluster.dsn("bypassing", database)),
            admin=postgres_cluster.dsn(database=database),
        ).run(max_examples=2, seed=1, max_seconds=None)
        assert bound.ok, str(bound)
    finally:
        execute("DROP OWNED BY bypassing CASCADE", database=database)
        execute("DROP ROLE bypassing")


CLINIC = """
CREATE TABLE clinics (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, handle text UNIQUE NOT NULL);
CREATE TABLE patients (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL,
    belongs_to int NOT NULL REFERENCES clinics ON DELETE CASCADE
);
CREATE TABLE visits (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), remark text NOT NULL,
    patient uuid NOT NULL REFERENCES patients ON DELETE CASCADE
);
"""


def clinic(dsn: str, *, leaky: bool) -> FastAPI:
    """Patients know their clinic, visits know it through their patient; no column is called after a tenant."""

    app = pooled(dsn)
    own = "SELECT id FROM clinics WHERE handle = $1"

    @app.post("/patients")
    async def register(body: Note, x_clinic: str = Header()) -> dict[str, str]:
        row = await app.state.pool.fetchval(
            f"INSERT INTO patients (belongs_to, name) VALUES (({own}), $2) RETURNING id", x_clinic, body.text
        )
        return {"id": str(row)}

    @app.post("/patients/{patient_id}/visits")
    async def visit(patient_id: str, body: Note, x_clinic: str = Header()) -> dict[str, bool]:
        done = await app.state.pool.execute(
            "INSERT INTO visits (patient, remark) SELECT id, $3 FROM patients WHERE id::text = $2 "
            f"AND (belongs_to = ({own}) OR $4)",
            *(x_clinic, patient_id, body.text, leaky),
        )
        # The same answer whatever it did: only the rows tell.
        return {"noted": bool(done)}

    @app.get("/patients")
    async def patients(x_clinic: str = Header()) -> list[dict[str, Any]]:
        rows = await app.state.pool.fetch(f"SELECT id, name FROM patients WHERE belongs_to = ({own})", x_clinic)
        return [{"id": str(row["id"]), "name": row["name"]} for row in rows]

    return app


@pytest.mark.parametrize("leaky", [False, True])
def test_rows_are_attributed_whatever_the_columns_are_called(
    postgres_cluster: EmbeddedPostgres, database: str, leaky: bool
) -> None:
    postgres_cluster.execute(CLINIC, database=database)
    admin = postgres_cluster.dsn(database=database)

    async def create_org() -> dict[str, str]:
        connection = await asyncpg.connect(admin)
        try:
            handle = f"clinic-{next(numbers):06}"
            await connection.execute("INSERT INTO clinics (handle) VALUES ($1)", handle)
        finally:
            await connection.close()
        return {"handle": handle}

    report = IsolationHarness(
        clinic(admin, leaky=leaky),
        create_org=create_org,
        headers_for=lambda org: {"x-clinic": org["handle"]},
        admin=admin,
    ).run(max_examples=12, seed=1, max_seconds=None)
    assert [(leak.oracle, leak.surface) for leak in report.leaks] == [("O6", "table visits")] * leaky, str(report)
    assert not asyncio.run(_left(admin)), "the rows of the examples are deleted at the end"


async def _left(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM visits"))
    finally:
        await connection.close()
