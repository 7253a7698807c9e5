"""The SQLAlchemy recipe of the documentation, attacked."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from interlock.errors import ScopeConflict, ScopeEnded, ScopeMissing, TenantInvariantError
from interlock.tenancy import pre_org_resolution_scope, tenant_scope
from interlock.tenancy.scope import FreshRoot
from interlock.testing import EmbeddedPostgres
from interlock.testing.roles import Roles

PAGE = Path(__file__).resolve().parents[1] / "docs" / "sqlalchemy.md"


def recipe() -> dict[str, Any]:
    """The first block of the page, which is what a reader copies."""
    block = re.search(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert block is not None
    namespace: dict[str, Any] = {}
    exec(compile(block.group(1), str(PAGE), "exec", dont_inherit=True), namespace)
    return namespace


@pytest.fixture
async def engines(
    postgres_cluster: EmbeddedPostgres, database: str, database_roles: Roles
) -> AsyncIterator[SimpleNamespace]:
    owner = await asyncpg.connect(postgres_cluster.dsn(database_roles.owner, database))
    policy = "org_id = (SELECT nullif(current_setting('app.current_org_id', true), ''))"
    await owner.execute(
        f"""
        CREATE TABLE letters (org_id text NOT NULL DEFAULT current_setting('app.current_org_id'), body text);
        INSERT INTO letters SELECT org, org FROM unnest(ARRAY['A', 'B']) org;
        ALTER TABLE letters ENABLE ROW LEVEL SECURITY; ALTER TABLE letters FORCE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON letters USING ({policy}) WITH CHECK ({policy});
        GRANT SELECT, INSERT, DELETE ON letters TO "{database_roles.app}", "{database_roles.admin}";
        """
    )
    await owner.close()
    scoped_engine: Callable[..., AsyncEngine] = recipe()["scoped_engine"]

    def engine(role: str) -> AsyncEngine:
        dsn = postgres_cluster.dsn(role, database).replace("postgresql:", "postgresql+asyncpg:")
        return scoped_engine(dsn, pool_size=1, max_overflow=0)

    tenant, admin = engine(database_roles.app), engine(database_roles.admin)
    yield SimpleNamespace(tenant=tenant, admin=admin, sessions=recipe()["scoped_sessions"](tenant, admin))
    await tenant.dispose()
    await admin.dispose()


async def letters(sessions: Any) -> list[str]:
    async with sessions() as session:
        return list((await session.scalars(text("SELECT body FROM letters ORDER BY body"))).all())


async def test_each_scope_sees_its_own(engines: SimpleNamespace) -> None:
    for org in ("A", "B", "A"):
        with tenant_scope(org):
            assert await letters(engines.sessions) == [org]
    with pre_org_resolution_scope("report"):
        assert await letters(engines.sessions) == ["A", "B"]
        with tenant_scope("B"):
            assert await letters(engines.sessions) == ["B"]


async def test_no_scope_takes_no_connection(engines: SimpleNamespace) -> None:
    with pytest.raises(ScopeMissing):
        await letters(engines.sessions)
    assert engines.tenant.pool.checkedout() == 0


async def test_a_foreign_row_cannot_be_written(engines: SimpleNamespace) -> None:
    with tenant_scope("A"), pytest.raises(Exception, match="row-level security"):
        async with engines.sessions.begin() as session:
            await session.execute(text("INSERT INTO letters VALUES ('B', 'forged')"))
    with tenant_scope("B"):
        assert await letters(engines.sessions) == ["B"]


@pytest.mark.parametrize("then", [ScopeMissing, ScopeEnded, ScopeConflict])
async def test_a_connection_serves_its_own_scope_alone(
    engines: SimpleNamespace, then: type[TenantInvariantError]
) -> None:
    scope = tenant_scope("A")
    scope.__enter__()
    async with engines.tenant.connect() as connection:
        await connection.execute(text("SELECT 1"))
        if then is ScopeEnded:
            scope.__exit__()
            with pytest.raises(then):
                await connection.execute(text("DELETE FROM letters"))
            return
        with FreshRoot():
            if then is ScopeMissing:
                with pytest.raises(then):
                    await connection.execute(text("DELETE FROM letters"))
            else:
                with tenant_scope("B"), pytest.raises(then):
                    await connection.execute(text("DELETE FROM letters"))
        await connection.rollback()
    assert await letters(engines.sessions) == ["A"]
    scope.__exit__()


async def test_what_one_checkout_leaves_the_next_does_not_find(engines: SimpleNamespace) -> None:
    """One physical connection: the same backend serves both."""
    with tenant_scope("A"):
        async with engines.tenant.connect() as connection:
            pid = await connection.scalar(text("SELECT pg_backend_pid()"))
            for statement in (
                "SET SESSION app.current_org_id = 'A'",
                "SET statement_timeout = '20s'",
                "CREATE TEMP TABLE letters AS SELECT 'A' AS org_id, 'shadow' AS body",
                "SELECT pg_advisory_lock(1)",
                "LISTEN gossip",
            ):
                await connection.execute(text(statement))
            await connection.commit()
    with tenant_scope("B"):
        async with engines.tenant.connect() as connection:
            assert await connection.scalar(text("SELECT pg_backend_pid()")) == pid
            assert (await connection.execute(text("SELECT body FROM letters"))).scalars().all() == ["B"]
            assert await connection.scalar(text("SHOW statement_timeout")) == "0"
            assert await connection.scalar(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")) == 0


async def test_tasks_cancelled_at_random_never_see_another_tenant(engines: SimpleNamespace) -> None:
    dice = random.Random(7)

    async def work(org: str) -> None:
        with tenant_scope(org):
            for _ in range(3):
                assert await letters(engines.sessions) == [org]
                await asyncio.sleep(0)

    tasks = [asyncio.create_task(work(dice.choice("AB"))) for _ in range(40)]
    for task in tasks:
        if dice.random() < 0.3:
            await asyncio.sleep(dice.random() / 100)
            task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        assert outcome is None or isinstance(outcome, asyncio.CancelledError)
    with tenant_scope("A"):
        assert await letters(engines.sessions) == ["A"]
    assert engines.tenant.pool.checkedout() == 0
