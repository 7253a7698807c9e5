"""Behind a real PgBouncer in transaction pooling, where a session belongs to nobody."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from interlock.tenancy import (
    PoolerDetected,
    TenantPools,
    TransactionRequired,
    create_tenant_pools,
    pre_org_resolution_scope,
    tenant_scope,
)
from interlock.testing import EmbeddedPostgres

if TYPE_CHECKING:
    from conftest import TenantDatabase

PGBOUNCER = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
NOBODY = 65534

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed (apt install pgbouncer)")

ORG = "SELECT current_setting('app.current_org_id', true)"


@pytest.fixture
def pooler(
    postgres_cluster: EmbeddedPostgres, tenant_database: TenantDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """Addresses of both roles through a pooler with one server session each."""
    folder = Path(postgres_cluster.dsn().split("host=")[1].split("&")[0].replace("%2F", "/"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / f"pgbouncer-{port}.ini"
    users = folder / f"users-{port}.txt"
    users.write_text('"interlock_app" ""\n"interlock_admin" ""\n')
    config.write_text(
        f"""
[databases]
{tenant_database.name} = host={folder} port={postgres_cluster.port} dbname={tenant_database.name}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = 1
ignore_startup_parameters = extra_float_digits
"""
    )
    os.chmod(config, 0o644)
    os.chmod(users, 0o644)
    unprivileged = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    process = subprocess.Popen(
        [str(PGBOUNCER), "-q", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **unprivileged
    )
    try:
        _wait_for(port, process)
        address = f"postgresql://{{}}@127.0.0.1:{port}/{tenant_database.name}"
        yield address.format("interlock_app"), address.format("interlock_admin")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            pytest.fail("pgbouncer did not start")
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail("pgbouncer does not listen")


async def test_auto_finds_the_pooler_and_carries_the_scope_in_transactions(pooler: tuple[str, str]) -> None:
    async with create_tenant_pools(*pooler, min_size=1, max_size=4) as pools:
        stats = pools.stats()
        assert stats.mode == "transaction"
        assert "pooler" in stats.mode_reason

        async def use(org: str) -> None:
            with tenant_scope(org):
                async with pools.transaction() as connection:
                    assert await connection.fetchval(ORG) == org
                    await asyncio.sleep(0.001)
                    assert {row["org_id"] for row in await connection.fetch("SELECT org_id FROM items")} <= {org}
                    async with connection.transaction():
                        assert await connection.fetchval(ORG) == org
                    assert await connection.fetchval(ORG) == org

        await asyncio.gather(*(use(org) for org in "ABABABABABABABAB"))
        with pre_org_resolution_scope("count"):
            async with pools.transaction() as connection:
                assert await connection.fetchval("SELECT count(*) FROM items") == 3


async def test_a_statement_outside_a_transaction_is_refused_before_it_is_sent(pooler: tuple[str, str]) -> None:
    async with create_tenant_pools(*pooler, min_size=0, max_size=1) as pools:
        with tenant_scope("A"):
            with pytest.raises(TransactionRequired, match="transaction"):
                await pools.fetch("SELECT 1")
            async with pools.acquire() as connection:
                for send in (
                    lambda: connection.execute("BEGIN"),
                    lambda: connection.fetch("SELECT 1"),
                    lambda: connection.prepare("SELECT 1"),
                ):
                    with pytest.raises(TransactionRequired):
                        await send()
                async with connection.transaction():
                    assert await connection.fetchval(ORG) == "A"
                with pytest.raises(TransactionRequired):
                    await connection.fetch("SELECT 1")


@pytest.mark.parametrize("mode", ["merged", "pipelined"])
async def test_an_explicit_session_mode_is_refused(pooler: tuple[str, str], mode: str) -> None:
    with pytest.raises(PoolerDetected, match="transaction"):
        await create_tenant_pools(*pooler, mode=mode)


async def test_what_one_leaves_in_the_pooled_session_does_not_reach_the_next(pooler: tuple[str, str]) -> None:
    async with create_tenant_pools(*pooler, min_size=0, max_size=1) as pools:
        with tenant_scope("A"):
            async with pools.transaction() as connection:
                await connection.execute("SELECT set_config('app.current_org_id', 'A', false)")
                await connection.execute("CREATE TEMP TABLE items AS SELECT 'A' AS org_id, 'trap' AS name")
        with tenant_scope("B"):
            async with pools.transaction() as connection:
                assert [tuple(row) for row in await connection.fetch("SELECT * FROM items")] == [("B", "b1")]


async def _write_and_fail(pools: TenantPools) -> None:
    async with pools.transaction() as connection:
        await connection.execute("INSERT INTO items VALUES ('A', 'gone')")
        await connection.fetchval("SELECT 1 / 0")


async def test_a_failed_transaction_leaves_nothing(pooler: tuple[str, str]) -> None:
    async with create_tenant_pools(*pooler, min_size=0, max_size=1) as pools:
        with tenant_scope("A"):
            with pytest.raises(asyncpg.DivisionByZeroError):
                await _write_and_fail(pools)
            async with pools.transaction() as connection:
                assert await connection.fetchval("SELECT count(*) FROM items") == 2
