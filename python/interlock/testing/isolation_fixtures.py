"""The isolation part of the pytest plugin: a database per worker, tenant connections, the run itself, mutations."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import asyncpg

    from interlock.testing.database_server import DatabaseServer
    from interlock.testing.harness import IsolationHarness
    from interlock.testing.report import Report
    from interlock.testing.roles import Roles

_REPORTS = pytest.StashKey[dict[str, Any]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of isolation tests."""
    group = parser.getgroup("interlock", "tenant isolation")
    group.addoption(
        "--rls-mutate",
        action="store_true",
        help="open each row-level security policy in turn and demand that isolation.check() then finds a leak",
    )
    group.addoption(
        "--interlock-dsn",
        metavar="URI",
        help="use this PostgreSQL server (as superuser) instead of an embedded one; also INTERLOCK_TEST_DSN",
    )
    group.addoption("--isolation-report", metavar="PATH", help="write the reports of isolation.check() as JSON")


def pytest_configure(config: pytest.Config) -> None:
    """Begin collecting reports."""
    config.stash[_REPORTS] = {}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the reports; each xdist worker writes a file of its own."""
    path, reports = session.config.getoption("--isolation-report"), session.config.stash.get(_REPORTS, {})
    if path and reports:
        target = Path(path)
        worker = os.environ.get("PYTEST_XDIST_WORKER")
        target = target.with_stem(f"{target.stem}-{worker}") if worker else target
        target.write_text(json.dumps(reports, indent=2))


class Isolation:
    """What the fixture ``isolation`` gives a test: addresses of its database, and the check."""

    def __init__(self, request: pytest.FixtureRequest, server: DatabaseServer, database: str, roles: Roles) -> None:
        self._request = request
        self._server = server
        self.database = database
        self.app_dsn = server.dsn(roles.app, database)
        self.admin_dsn = server.dsn(roles.admin, database)
        self.owner_dsn = server.dsn(roles.owner, database)

    def harness(
        self, app: Any, *, create_org: Callable[..., Any], headers_for: Callable[[Any], Any], **options: Any
    ) -> IsolationHarness:
        """An :class:`~interlock.testing.IsolationHarness` whose ground truth is this database."""
        from interlock.testing.harness import IsolationHarness

        return IsolationHarness(
            app, create_org=create_org, headers_for=headers_for, **{"admin": self.admin_dsn, **options}
        )

    def check(self, harness: IsolationHarness, **run: Any) -> Report:
        """Run the harness and fail the test unless isolation held; with ``--rls-mutate`` also test the test."""
        with harness:
            report = harness.run(**run)
            self._keep("clean", report)
            if not report.ok:
                pytest.fail(str(report), pytrace=False)
            if self._request.config.getoption("--rls-mutate"):
                self._mutate(harness, run)
        return report

    def _mutate(self, harness: IsolationHarness, run: Mapping[str, Any]) -> None:
        from interlock.testing.database_server import run_in_thread

        survived = []
        for mutation in run_in_thread(self._mutations()):
            self._server.execute(mutation.apply, database=self.database)
            try:
                report = harness.run(**run)
            finally:
                self._server.execute(mutation.restore, database=self.database)
            self._keep(mutation.name, report)
            if not report.leaks:
                survived.append(mutation.name)
        if survived:
            listed = "\n  ".join(survived)
            pytest.fail(
                f"no leak was found after these changes, so nothing tests what they protect:\n  {listed}\n"
                "drive the tables through an endpoint, or drop the policy if nothing needs it",
                pytrace=False,
            )

    async def _mutations(self) -> list[Any]:
        import asyncpg

        from interlock.testing.mutate import mutations

        connection = await asyncpg.connect(self._server.dsn(database=self.database))
        try:
            return list(await mutations(connection))
        finally:
            await connection.close()

    def _keep(self, name: str, report: Report) -> None:
        kept = self._request.config.stash[_REPORTS].setdefault(self._request.node.nodeid, {})
        kept[name] = report.to_json()


@pytest.fixture(scope="session")
def worker_database(postgres_cluster: DatabaseServer, postgres_template: str) -> Iterator[str]:
    """A copy of the template for this process: under xdist every worker has its own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = f"isolation_{worker}_{uuid.uuid4().hex[:8]}"
    postgres_cluster.create_database(name, template=postgres_template)
    yield name
    postgres_cluster.drop_database(name)


@pytest.fixture
def isolation(
    request: pytest.FixtureRequest, postgres_cluster: DatabaseServer, worker_database: str, database_roles: Roles
) -> Isolation:
    """The isolation check on this worker's database; synchronous, so it works beside pytest-asyncio and anyio."""
    return Isolation(request, postgres_cluster, worker_database, database_roles)


@pytest.fixture
def as_tenant(
    postgres_cluster: DatabaseServer, database: str, app_role_name: str
) -> Callable[[object], AbstractAsyncContextManager[asyncpg.Connection]]:
    """``async with as_tenant(org_id) as connection``: the runtime role, in a transaction scoped to one org."""
    import asyncpg

    @asynccontextmanager
    async def connect(org_id: object) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(postgres_cluster.dsn(app_role_name, database))
        try:
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.current_org_id', $1, true)", str(org_id))
                yield connection
        finally:
            await connection.close()

    return connect
