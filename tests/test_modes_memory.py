"""A connection that is gone leaves nothing behind in memory."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from interlock.tenancy import create_tenant_pools, tenant_scope
from interlock.tenancy.session import Session

if TYPE_CHECKING:
    from conftest import TenantDatabase


def _sessions() -> int:
    gc.collect()
    return sum(type(found) is Session for found in gc.get_objects())


@pytest.mark.parametrize("mode", ["merged", "pipelined", "transaction"])
async def test_closed_connections_are_collected(tenant_database: TenantDatabase, mode: str) -> None:
    before = _sessions()
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1, mode=mode) as pools:
        for _ in range(10):
            with tenant_scope("A"):
                async with pools.transaction() as connection:
                    await connection.fetch("SELECT 1")
            await pools.expire_connections()
        del connection
        assert _sessions() <= before + 1
    del pools
    assert _sessions() <= before
