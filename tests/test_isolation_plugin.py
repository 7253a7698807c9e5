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

PROJECT = """
import itertools
import pytest
from stored_notebook import NOTES, stored_notebook

RIGHTS = "GRANT ALL ON notes TO interlock_app, interlock_admin"


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="session")
def schema(postgres_cluster, worker_database):
    postgres_cluster.execute(NOTES + RIGHTS, database=worker_database)


def check(isolation):
    numbers = itertools.count(1)
    harness = isolation.harness(
        stored_notebook(isolation.app_dsn),
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
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "test_notes.py").write_text(PROJECT)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {Path(__file__).parent}\n")
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
