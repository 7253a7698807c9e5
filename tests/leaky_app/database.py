"""Creates the help desk's database on an embedded server, and makes orgs."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from interlock.schema import migrate
from interlock.testing import EmbeddedPostgres
from interlock.testing.postgres import run_in_thread
from interlock.testing.roles import Roles
from leaky_app.plants import Plant

ROLES = Roles(owner="desk_owner", app="desk_app", admin="desk_admin")
TEMPLATE = "desk_template"


@dataclass(frozen=True)
class Database:
    """Addresses of one database for each role."""

    tenant_dsn: str
    admin_dsn: str
    owner_dsn: str

    async def create_org(self, name: str) -> dict[str, str]:
        """Sign an org up, as the sales team's tool does."""
        connection = await asyncpg.connect(self.admin_dsn)
        try:
            org = await connection.fetchval("INSERT INTO orgs (name) VALUES ($1) RETURNING org_id", name)
            key = secrets.token_urlsafe(24)
            await connection.execute("INSERT INTO api_keys (key, org_id) VALUES ($1, $2)", key, org)
        finally:
            await connection.close()
        return {"id": str(org), "key": key}


def headers_for(org: dict[str, str]) -> dict[str, str]:
    return {"authorization": f"Bearer {org['key']}"}


def create_template(server: EmbeddedPostgres) -> None:
    """Create the roles and the migrated template, if the server has none yet."""
    if run_in_thread(_exists(server.dsn())):
        return
    for statement in ROLES.create_statements():
        server.execute(statement)
    server.create_database(TEMPLATE)
    server.execute(f"ALTER DATABASE {TEMPLATE} OWNER TO {ROLES.owner}")
    run_in_thread(_migrate(server.dsn(ROLES.owner, TEMPLATE)))


def create_database(server: EmbeddedPostgres, name: str, plant: Plant | None = None) -> Database:
    """A copy of the template, with the plant's SQL if it has any."""
    server.create_database(name, template=TEMPLATE)
    if plant is not None and plant.sql:
        server.execute(plant.sql, database=name)
    return Database(*(server.dsn(role, name) for role in (ROLES.app, ROLES.admin, ROLES.owner)))


async def _exists(dsn: str) -> bool:
    connection = await asyncpg.connect(dsn)
    try:
        return bool(await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", TEMPLATE))
    finally:
        await connection.close()


async def _migrate(dsn: str) -> None:
    owner = await asyncpg.connect(dsn)
    try:
        await migrate(owner, tenant_role=ROLES.app, admin_role=ROLES.admin)
        await owner.execute(Path(__file__).with_name("schema.sql").read_text())
    finally:
        await owner.close()
