"""The harness over our own service: it holds, every route is reached, and an opened policy is found."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from interlock.testing import EmbeddedPostgres
from interlock.testing.postgres import run_in_thread
from union_station import isolation
from union_station.database import create_database
from union_station.settings import Settings


@pytest.fixture(scope="module")
def settings(postgres_cluster: EmbeddedPostgres) -> Settings:
    return asyncio.run(create_database(postgres_cluster, "union_station_harness"))


def test_the_service_holds_and_an_opened_policy_is_found(
    settings: Settings, postgres_cluster: EmbeddedPostgres
) -> None:
    with isolation.build_harness(settings) as harness:
        clean = harness.run(max_examples=3, seed=2, max_seconds=None)
        assert clean.ok, str(clean)
        opened = next(one for one in run_in_thread(isolation.policies(settings)) if one.table == isolation.OPENED)
        postgres_cluster.execute(opened.apply, database="union_station_harness")
        try:
            leaking = harness.run(max_examples=2, seed=2, max_seconds=None)
        finally:
            postgres_cluster.execute(opened.restore, database="union_station_harness")
        assert [leak.oracle for leak in leaking.leaks] == ["O1"], str(leaking)
        assert opened in run_in_thread(isolation.policies(settings))
