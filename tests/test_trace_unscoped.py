"""``INTERLOCK_TRACE_UNSCOPED=1``: each distinct stack of a refused acquire, once."""

from __future__ import annotations

import logging

import pytest

from interlock.errors import ScopeMissing
from interlock.tenancy import TenantPools, create_tenant_pools
from interlock.tenancy.trace import VARIABLE
from interlock.testing import EmbeddedPostgres
from interlock.testing.roles import Roles

LOGGER = "interlock.tenancy.unscoped"


def refused_here(pools: TenantPools) -> None:
    with pytest.raises(ScopeMissing):
        pools.acquire()


def refused_there(pools: TenantPools) -> None:
    with pytest.raises(ScopeMissing):
        pools.acquire()


async def test_each_place_is_written_once_and_only_when_asked(
    postgres_cluster: EmbeddedPostgres,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    roles = Roles()
    addresses = [postgres_cluster.dsn(role, database) for role in (roles.app, roles.admin)]
    async with create_tenant_pools(*addresses, min_size=0, max_size=1) as pools:
        with caplog.at_level(logging.WARNING, logger=LOGGER):
            refused_here(pools)
            assert caplog.records == []
            monkeypatch.setenv(VARIABLE, "1")
            for _ in range(3):
                refused_here(pools)
            refused_there(pools)
    assert [record.getMessage().count("in refused_here") for record in caplog.records] == [1, 0]
    assert all("ScopeMissing" in record.getMessage() for record in caplog.records)
