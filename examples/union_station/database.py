"""Creates the roles and the database, and migrates it: what an operator does once."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from interlock.schema import migrate
from interlock.testing import EmbeddedPostgres
from interlock.testing.roles import Roles
from union_station.settings import Settings

ROLES = Roles(owner="us_owner", app="us_app", admin="us_admin")
SCHEMA = Path(__file__).with_name("schema.sql")


def settings_for(server: EmbeddedPostgres, database: str) -> Settings:
    return Settings(
        tenant_dsn=server.dsn(ROLES.app, database),
        admin_dsn=server.dsn(ROLES.admin, database),
        owner_dsn=server.dsn(ROLES.owner, database),
        tenant_role=ROLES.app,
        admin_role=ROLES.admin,
    )


async def create_database(server: EmbeddedPostgres, database: str = "union_station") -> Settings:
    """Create the roles and a migrated database on ``server``."""
    for statement in ROLES.create_statements():
        server.execute(statement)
    server.create_database(database)
    server.execute(f'ALTER DATABASE "{database}" OWNER TO {ROLES.owner}')
    # A runtime role that can create temporary tables can shadow real ones.
    server.execute(f'REVOKE TEMPORARY ON DATABASE "{database}" FROM PUBLIC')
    settings = settings_for(server, database)
    await create_tables(settings)
    return settings


async def create_tables(settings: Settings) -> None:
    """Create Interlock's tables and the service's own, as their owner."""
    owner = await asyncpg.connect(settings.owner_dsn)
    try:
        await migrate(owner, tenant_role=settings.tenant_role, admin_role=settings.admin_role)
        await owner.execute(SCHEMA.read_text())
    finally:
        await owner.close()
