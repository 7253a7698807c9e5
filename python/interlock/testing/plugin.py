"""Pytest plugin: a PostgreSQL server a session, a database a test, a connection of each role.

Needs the extra ``testing``, and ``postgres`` where no server is installed.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

from interlock.testing.isolation_fixtures import (
    as_tenant,
    isolation,
    pytest_addoption,
    pytest_configure,
    pytest_sessionfinish,
    worker_database,
)
from interlock.testing.roles import Roles

__all__ = [
    "as_tenant",
    "isolation",
    "pytest_addoption",
    "pytest_configure",
    "pytest_sessionfinish",
    "worker_database",
]

if TYPE_CHECKING:
    import asyncpg

    from interlock.testing.database_server import DatabaseServer


@pytest.fixture(scope="session")
def postgres_cluster(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    """A running server: your own if ``--interlock-dsn`` or ``INTERLOCK_TEST_DSN`` names it, else an embedded one."""
    dsn = request.config.getoption("--interlock-dsn") or os.environ.get("INTERLOCK_TEST_DSN")
    if dsn:
        from interlock.testing.user_server import UserServer

        yield UserServer(dsn)
        return
    from interlock.testing.postgres import EmbeddedPostgres

    with EmbeddedPostgres() as server:
        yield server


@pytest.fixture(scope="session")
def database_roles() -> Roles:
    """The names of the owner, runtime and admin role; override it to use your own."""
    return Roles()


@pytest.fixture(scope="session")
def app_role_name(database_roles: Roles) -> str:
    """The runtime role, under which every query of a tenant must run."""
    return database_roles.app


@pytest.fixture(scope="session")
def postgres_template(postgres_cluster: DatabaseServer, database_roles: Roles) -> Iterator[str]:
    """A database with Interlock's schema, from which each test's database is copied.

    Override it to migrate your own schema: create a database, migrate it as the owner, return its name.
    """
    from interlock.testing.database_server import run_in_thread

    for statement in database_roles.create_statements(postgres_cluster.password):
        postgres_cluster.execute(statement)
    name = f"interlock_template_{uuid.uuid4().hex[:8]}"  # xdist workers may share your server
    postgres_cluster.create_database(name)
    postgres_cluster.execute(f'ALTER DATABASE {name} OWNER TO "{database_roles.owner}"')
    run_in_thread(_migrate(postgres_cluster.dsn(database_roles.owner, name), database_roles))
    yield name
    postgres_cluster.drop_database(name)


async def _migrate(dsn: str, roles: Roles) -> None:
    import asyncpg

    from interlock.schema import migrate

    connection = await asyncpg.connect(dsn)
    try:
        await migrate(connection, tenant_role=roles.app, admin_role=roles.admin)
    finally:
        await connection.close()


@pytest.fixture
def database(postgres_cluster: DatabaseServer, postgres_template: str, database_roles: Roles) -> Iterator[str]:
    """The name of a fresh copy of the template, dropped after the test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    postgres_cluster.create_database(name, template=postgres_template)
    # A copy belongs to who made it; the owner of the template must be able to add tables here, too.
    postgres_cluster.execute(f'ALTER DATABASE {name} OWNER TO "{database_roles.owner}"')
    yield name
    postgres_cluster.drop_database(name)


@pytest.fixture
async def db(
    postgres_cluster: DatabaseServer, database: str, database_roles: Roles
) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the admin role, which bypasses RLS: for seeding and for looking at the truth."""
    import asyncpg

    connection = await asyncpg.connect(postgres_cluster.dsn(database_roles.admin, database))
    yield connection
    await connection.close()


@pytest.fixture
async def db_as_app(
    postgres_cluster: DatabaseServer, database: str, app_role_name: str
) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the runtime role; fails if that role could bypass RLS, since such a test proves nothing."""
    import asyncpg

    connection = await asyncpg.connect(postgres_cluster.dsn(app_role_name, database))
    role = await connection.fetchrow(
        "SELECT rolsuper, rolbypassrls, EXISTS (SELECT FROM pg_class WHERE relowner = pg_roles.oid) AS owns "
        "FROM pg_roles WHERE rolname = current_user"
    )
    if role is None or role["rolsuper"] or role["rolbypassrls"] or role["owns"]:
        await connection.close()
        pytest.fail(f"the runtime role {app_role_name} is superuser, has BYPASSRLS or owns tables: RLS is not tested")
    yield connection
    await connection.close()
