"""The pytest plugin as a user has it: in a run of its own, beside xdist and anyio, on a server of the user's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from interlock.errors import EmbeddedPostgresError
from interlock.testing import EmbeddedPostgres
from interlock.testing.database_server import quote_literal
from interlock.testing.user_server import UserServer

PROJECT = '''
import itertools
import asyncpg
import pytest
from fastapi import FastAPI, Header
from pydantic import BaseModel

NOTES = """
CREATE TABLE notes (org_id text NOT NULL, text text NOT NULL);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE notes FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON notes USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')));
GRANT ALL ON notes TO interlock_app, interlock_admin;
"""


class Note(BaseModel):
    text: str


def build(dsn):
    app = FastAPI()

    async def scoped(org, statement, *values):
        connection = await asyncpg.connect(dsn)
        try:
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.current_org_id', $1, true)", org)
                return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    @app.post("/notes")
    async def add(note: Note, x_tenant: str = Header()):
        await scoped(x_tenant, "INSERT INTO notes VALUES ($1, $2)", x_tenant, note.text)

    @app.get("/notes")
    async def read(x_tenant: str = Header()) -> list[str]:
        return [row["text"] for row in await scoped(x_tenant, "SELECT text FROM notes")]

    return app


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="session")
def schema(postgres_cluster, worker_database):
    postgres_cluster.execute(NOTES, database=worker_database)


def check(isolation):
    numbers = itertools.count(1)
    harness = isolation.harness(
        build(isolation.app_dsn),
        create_org=lambda: f"{isolation.database}-{next(numbers):04}",
        headers_for=lambda org: {"x-tenant": org},
    )
    isolation.check(harness, max_examples=3, seed=1, max_seconds=None)


@pytest.mark.parametrize("time", range(2))
def test_isolation(isolation, schema, time):
    check(isolation)


@pytest.mark.anyio
async def test_isolation_inside_a_loop(isolation, schema):
    check(isolation)


@pytest.mark.anyio
async def test_roles(db_as_app, db):
    assert not await db_as_app.fetchval("SELECT rolbypassrls FROM pg_roles WHERE rolname = current_user")
    assert await db.fetchval("SELECT rolbypassrls FROM pg_roles WHERE rolname = current_user")
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "test_notes.py").write_text(PROJECT)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def run(project: Path, *words: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("others", [[], ["-p", "no:asyncio"], ["-n", "2"]])
def test_beside_other_plugins(project: Path, others: list[str]) -> None:
    report = project / "report.json"
    assert "4 passed" in run(project, f"--isolation-report={report}", *others)
    written = [json.loads(path.read_text()) for path in project.glob("report*.json")]
    assert {one["clean"]["verdict"] for found in written for one in found.values()} == {"held"}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_on_a_server_of_the_users(project: Path, postgres_cluster: EmbeddedPostgres) -> None:
    with EmbeddedPostgres() as theirs:
        assert "4 passed" in run(project, f"--interlock-dsn={theirs.dsn()}")
        theirs.create_database("still_alive")


def test_the_users_server_is_addressed_with_its_password() -> None:
    server = UserServer("postgresql://boss:p%40ss@db.example:5433/main?sslmode=require")
    assert server.dsn() == "postgresql://boss:p%40ss@db.example:5433/main?sslmode=require"
    assert server.dsn("app role", "other") == "postgresql://app%20role:p%40ss@db.example:5433/other?sslmode=require"
    assert server.password == "p@ss"


@pytest.mark.parametrize("dsn", ["host=localhost user=x", "mysql://x@y/z", "postgresql:///main"])
def test_another_address_says_what_is_needed(dsn: str) -> None:
    with pytest.raises(EmbeddedPostgresError, match="URI with a user"):
        UserServer(dsn)


def test_passwords_are_quoted() -> None:
    assert quote_literal("it's \\ 1") == " E'it''s \\\\ 1'"
