"""The embedded server: it starts anywhere, keeps its data over a restart, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import asyncpg
import pytest

from interlock.errors import EmbeddedPostgresError
from interlock.testing import EmbeddedPostgres


async def test_data_survives_a_restart_and_the_folder_does_not_survive_the_end() -> None:
    async with EmbeddedPostgres() as server:
        folder = server.folder
        assert folder is not None
        server.execute("CREATE TABLE kept (n int)")
        server.create_database('odd "name"', template="postgres")
        await asyncio.to_thread(server.restart)
        connection = await asyncpg.connect(server.dsn(database='odd "name"'))
        assert await connection.fetchval("SELECT count(*) FROM kept") == 0
        await connection.close()
    assert not folder.exists()


def test_the_server_is_not_root_and_only_its_owner_can_enter(postgres_cluster: EmbeddedPostgres) -> None:
    assert postgres_cluster.folder is not None
    state = postgres_cluster.folder.stat()
    assert state.st_mode & 0o777 == 0o700
    assert state.st_uid != 0


def test_a_killed_run_is_cleaned_by_the_next() -> None:
    code = textwrap.dedent(
        """
        import os, signal
        from interlock.testing import EmbeddedPostgres
        server = EmbeddedPostgres().start()
        print(server.folder, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    killed = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    left = Path(killed.stdout.strip())
    assert killed.returncode == -signal.SIGKILL
    assert left.exists()
    pid = int((left / "data" / "postmaster.pid").read_text().splitlines()[0])
    with EmbeddedPostgres():
        assert not left.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("settings", "why"), [({"shared_buffers": "1 potato"}, "shared_buffers"), ({"nonsense": "1"}, "nonsense")]
)
def test_a_server_that_does_not_start_says_why(settings: dict[str, str], why: str) -> None:
    server = EmbeddedPostgres(settings=settings)
    with pytest.raises(EmbeddedPostgresError, match=why):
        server.start()
    assert server.folder is None


def test_a_wrong_bin_folder_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    with pytest.raises(EmbeddedPostgresError, match="PG_BIN"):
        EmbeddedPostgres().start()


async def test_the_two_connections_have_the_roles_they_should(
    db: asyncpg.Connection, db_as_app: asyncpg.Connection, app_role_name: str
) -> None:
    assert await db_as_app.fetchval("SELECT current_user") == app_role_name
    assert await db.fetchval("SELECT rolbypassrls FROM pg_roles WHERE rolname = current_user")
    assert await db.fetchval("SELECT current_database()") == await db_as_app.fetchval("SELECT current_database()")
