"""The audit trail: who may write what, that nobody can rewrite it, and that a failure is never swallowed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.audit import write_system_audit, write_tenant_audit
from interlock.tenancy import (
    ScopeConflict,
    ScopeMissing,
    TenantPools,
    create_tenant_pools,
    pre_org_resolution_scope,
    tenant_scope,
)

if TYPE_CHECKING:
    from conftest import TenantDatabase

TRAIL = "SELECT org_id, actor, action, subject, details FROM interlock.audit ORDER BY at"


@pytest.fixture
async def pools(tenant_database: TenantDatabase) -> AsyncIterator[TenantPools]:
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=2) as pools:
        yield pools


async def _trail(pools: TenantPools) -> list[tuple[object, ...]]:
    with pre_org_resolution_scope("read the trail"):
        return [tuple(row) for row in await pools.fetch(TRAIL)]


async def test_a_tenants_row_is_part_of_its_transaction(pools: TenantPools) -> None:
    with tenant_scope("A"):
        async with pools.transaction() as connection:
            kept = await write_tenant_audit(connection, action="item.added", actor="ann", subject="item 1")
        await _write_and_fail(pools)
        assert [row["id"] for row in await pools.fetch("SELECT id FROM interlock.audit")] == [kept]
    assert await _trail(pools) == [("A", "ann", "item.added", "item 1", None)]


async def _write_and_fail(pools: TenantPools) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError):
        await _write_then(pools, "SELECT 1 / 0")


async def _write_then(pools: TenantPools, statement: str) -> None:
    async with pools.transaction() as connection:
        await write_tenant_audit(connection, action="item.removed")
        await connection.execute(statement)


async def test_a_system_row_needs_no_scope_and_works_in_any(pools: TenantPools) -> None:
    await write_system_audit(pools, action="started")
    with tenant_scope("A"):
        await write_system_audit(pools, action="tripped", actor="deadline", details={"after": 5})
        assert await pools.fetchval("SELECT count(*) FROM interlock.audit") == 0
    with pre_org_resolution_scope("daemon"):
        await write_system_audit(pools, action="ticked")
    assert [row[:3] for row in await _trail(pools)] == [
        (None, None, "started"),
        (None, "deadline", "tripped"),
        (None, None, "ticked"),
    ]


async def test_a_tenant_sees_and_writes_its_own_rows_alone(pools: TenantPools) -> None:
    for org in "AB":
        with tenant_scope(org):
            async with pools.acquire() as connection:
                await write_tenant_audit(connection, action=f"of {org}")
                assert [row["action"] for row in await connection.fetch(TRAIL)] == [f"of {org}"]
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute("INSERT INTO interlock.audit (org_id, action) VALUES ('C', 'forged')")
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute("INSERT INTO interlock.audit (org_id, action) VALUES (NULL, 'forged')")


@pytest.mark.parametrize("scope", [tenant_scope("A"), pre_org_resolution_scope("tidy up")])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE interlock.audit SET action = 'other'",
        "DELETE FROM interlock.audit",
        "TRUNCATE interlock.audit",
        "INSERT INTO interlock.audit (action, at) VALUES ('backdated', '2000-01-01')",
        "ALTER TABLE interlock.audit DISABLE ROW LEVEL SECURITY",
        "DROP TABLE interlock.audit",
    ],
)
async def test_nobody_rewrites_the_trail(pools: TenantPools, scope: object, statement: str) -> None:
    await write_system_audit(pools, action="kept")
    before = await _trail(pools)
    with scope, pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pools.execute(statement)
    assert await _trail(pools) == before


async def test_a_row_that_cannot_be_written_raises(pools: TenantPools, tenant_database: TenantDatabase) -> None:
    with pre_org_resolution_scope("no tenant"):
        async with pools.acquire() as connection:
            with pytest.raises(ScopeMissing, match="write_system_audit"):
                await write_tenant_audit(connection, action="x")
            with tenant_scope("A"), pytest.raises(ScopeConflict):
                await write_tenant_audit(connection, action="x")
    for action in ("", "  ", None):
        with pytest.raises(ValueError, match="action"):
            await write_system_audit(pools, action=action)
    with pytest.raises(ValueError, match="details"):
        await write_system_audit(pools, action="x", details={"when": object()})
    with pytest.raises(ValueError, match="details"):
        await write_system_audit(pools, action="x", details={"rate": float("nan")})
    owner = await asyncpg.connect(tenant_database.owner_dsn)
    await owner.execute("REVOKE INSERT (action) ON interlock.audit FROM interlock_app, interlock_admin")
    await owner.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await write_system_audit(pools, action="x")
    with tenant_scope("A"), pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _write_then(pools, "SELECT 1")
    assert await _trail(pools) == []


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXT, lambda inner: st.lists(inner, max_size=3)
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actor=st.none() | TEXT, subject=TEXT, details=st.dictionaries(TEXT, JSON, max_size=3))
def test_what_is_written_is_what_is_read(
    postgres_cluster: object, audit_round_trip: object, actor: str | None, subject: str, details: dict[str, object]
) -> None:
    written, read = audit_round_trip(actor, subject, details)
    assert written == read


@pytest.fixture
def audit_round_trip(tenant_database: TenantDatabase) -> object:
    from interlock.testing.postgres import run_in_thread

    async def write_and_read(actor: str | None, subject: str, details: dict[str, object]) -> tuple[object, object]:
        async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1, mode="merged") as pools:
            row_id = await write_system_audit(pools, action="x", actor=actor, subject=subject, details=details)
            with pre_org_resolution_scope("read"):
                row = await pools.fetchrow("SELECT * FROM interlock.audit WHERE id = $1", row_id)
        return (actor, subject, details), (row["actor"], row["subject"], json.loads(row["details"]))

    return lambda *args: run_in_thread(write_and_read(*args))
