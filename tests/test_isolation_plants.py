"""Every planted leak is real: its exploit works on the mutant, and none works on the clean service."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from interlock.testing import EmbeddedPostgres
from interlock.testing.client import AsgiClient
from leaky_app.app import create_app
from leaky_app.database import Database, create_database, create_template
from leaky_app.desk import Desk
from leaky_app.exploits import EXPLOITS, Person
from leaky_app.plants import DATABASE, PLANTS, Plant


@pytest.fixture(scope="module")
def server(postgres_cluster: EmbeddedPostgres) -> EmbeddedPostgres:
    create_template(postgres_cluster)
    return postgres_cluster


@pytest.fixture(scope="module")
def clean(server: EmbeddedPostgres) -> Database:
    return create_database(server, f"desk_{uuid.uuid4().hex[:8]}")


async def worked(database: Database, plant: str, app_plant: str | None) -> bool:
    async with AsgiClient(create_app(database.tenant_dsn, database.admin_dsn, app_plant)) as client:
        a, b = [Person(client, await database.create_org("x")) for _ in range(2)]
        return await EXPLOITS[plant](a, b)


def test_every_plant_has_an_exploit() -> None:
    assert {plant.id for plant in PLANTS} == EXPLOITS.keys()
    assert len(PLANTS) >= 40


@pytest.mark.parametrize("plant", DATABASE, ids=lambda plant: plant.id)
async def test_exploit_works_on_the_mutant_database(server: EmbeddedPostgres, plant: Plant) -> None:
    database = create_database(server, f"desk_{uuid.uuid4().hex[:8]}", plant)
    assert await worked(database, plant.id, plant.id)


async def test_every_other_exploit_works_on_its_mutant(clean: Database) -> None:
    """One start of the service for all of them; what they cache goes with the desk they are planted in."""
    app = create_app(clean.tenant_dsn, clean.admin_dsn)
    async with AsgiClient(app) as client:
        pristine = app.state.desk
        for plant in PLANTS:
            if not plant.sql:
                app.state.desk = Desk(pristine.pools, pristine.legacy, pristine.session, plant.id)
                a, b = [Person(client, await clean.create_org("x")) for _ in range(2)]
                assert await EXPLOITS[plant.id](a, b), plant.id


async def test_no_exploit_works_on_the_clean_service(clean: Database) -> None:
    async with AsgiClient(create_app(clean.tenant_dsn, clean.admin_dsn)) as client:
        for plant, exploit in EXPLOITS.items():
            a, b = [Person(client, await clean.create_org("x")) for _ in range(2)]
            assert not await exploit(a, b), plant
