"""Pools whose policies read another setting than Interlock's own tables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import asyncpg
import pytest

from interlock.audit import write_tenant_audit
from interlock.dedup import ApprovalStore, Proposal
from interlock.tenancy import RoleViolation, TenantPools, create_tenant_pools, pre_org_resolution_scope, tenant_scope
from interlock.tenancy.modes import ModeName

if TYPE_CHECKING:
    from conftest import TenantDatabase

OTHER = "tenancy.Customer"


@pytest.fixture
async def with_another_setting(tenant_database: TenantDatabase) -> TenantDatabase:
    owner = await asyncpg.connect(tenant_database.owner_dsn)
    await owner.execute(
        f"ALTER POLICY own_org ON items USING (org_id = (SELECT nullif(current_setting('{OTHER}', true), '')))"
    )
    await owner.close()
    return tenant_database


@pytest.fixture(params=["merged", "pipelined", "transaction"])
async def pools(request: pytest.FixtureRequest, with_another_setting: TenantDatabase) -> AsyncIterator[TenantPools]:
    mode: ModeName = request.param
    async with create_tenant_pools(*with_another_setting.dsns, min_size=0, max_size=1, mode=mode, guc=OTHER) as pools:
        yield pools


async def test_the_applications_tables_and_interlocks_own_see_the_same_org(pools: TenantPools) -> None:
    for org, names in (("A", ["a1", "a2"]), ("B", ["b1"])):
        with tenant_scope(org):
            async with pools.transaction() as connection:
                assert [row["name"] for row in await connection.fetch("SELECT name FROM items ORDER BY 1")] == names
                await write_tenant_audit(connection, action="looked", actor="ann")
                assert await connection.fetchval("SELECT count(*) FROM interlock.audit") == 1
    with pre_org_resolution_scope("all"):
        async with pools.transaction() as connection:
            trail = await connection.fetch("SELECT org_id FROM interlock.audit ORDER BY 1")
            assert [row["org_id"] for row in trail] == ["A", "B"]


@pytest.mark.parametrize("pools", ["merged", "pipelined"], indirect=True)
async def test_proposals_are_kept_apart(pools: TenantPools) -> None:
    store = ApprovalStore(pools)
    for org in "ABA":
        with tenant_scope(org):
            await store.propose(Proposal.shell("docker stop web"))
    for org, seen in (("A", 2), ("B", 1)):
        with tenant_scope(org):
            assert [stored.seen_count for stored in await store.in_flight()] == [seen]


async def test_no_session_may_start_with_either_set(with_another_setting: TenantDatabase) -> None:
    preset = {"server_settings": {"app.current_org_id": "A"}}
    with pytest.raises(RoleViolation, match="set"):
        await create_tenant_pools(*with_another_setting.dsns, min_size=0, guc=OTHER, **preset)
