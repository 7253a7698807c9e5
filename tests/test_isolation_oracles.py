"""Every oracle is needed: its mutants are found with it alone, and without it they are lost and no others."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from interlock.testing import EmbeddedPostgres, IsolationHarness, Layer
from leaky_app.app import create_app
from leaky_app.database import create_database, create_template, headers_for
from leaky_app.needs import CODES, LAYERED, NEEDS, found_by
from leaky_app.plants import ONE_LAYER_LESS, PLANTS, Plant

BY_ID = {plant.id: plant for plant in PLANTS}
CASES = [
    pytest.param(code, plant, target, marks=pytest.mark.slow, id=f"{code}-{plant}")
    for code, mutants in NEEDS.items()
    for plant, target in mutants.items()
]


@pytest.fixture(scope="module")
def server(postgres_cluster: EmbeddedPostgres) -> EmbeddedPostgres:
    create_template(postgres_cluster)
    return postgres_cluster


def build(server: EmbeddedPostgres, plant: Plant | None, without: frozenset[str] = frozenset()) -> IsolationHarness:
    database = create_database(server, f"desk_{uuid.uuid4().hex[:8]}", plant)
    return IsolationHarness(
        create_app(database.tenant_dsn, database.admin_dsn, plant.id if plant else None),
        create_org=database.create_org,
        headers_for=headers_for,
        admin=database.admin_dsn,
        without=without,
    )


@pytest.mark.parametrize(("code", "plant", "target"), CASES)
def test_its_oracle_finds_it_alone_and_nothing_replaces_it(
    server: EmbeddedPostgres, code: str, plant: str, target: str
) -> None:
    def with_plant(without: frozenset[str]) -> IsolationHarness:
        return build(server, BY_ID[plant], without)

    assert found_by(with_plant, frozenset({code}), target) == code
    assert found_by(with_plant, CODES - {code}, target) is None


def test_every_oracle_has_a_mutant_that_needs_it() -> None:
    assert NEEDS.keys() == CODES


@pytest.mark.slow
def test_only_the_layers_tell_that_one_of_two_is_gone(server: EmbeddedPostgres) -> None:
    held_by = {}
    for plant in (None, ONE_LAYER_LESS):
        database = create_database(server, f"desk_{uuid.uuid4().hex[:8]}", plant)
        app = create_app(database.tenant_dsn, database.admin_dsn, plant.id if plant else None)
        with IsolationHarness(
            app, create_org=database.create_org, headers_for=headers_for, admin=database.admin_dsn
        ) as harness:
            harness.example(LAYERED)
            held_by[plant] = harness.layers(database.owner_dsn)[LAYERED]
    assert held_by == {None: Layer.BOTH, ONE_LAYER_LESS: Layer.DATABASE}
