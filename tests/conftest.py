"""What the tests of several topics share."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from interlock.testing import EmbeddedPostgres
from interlock.testing.roles import Roles

# A busy machine makes no test red: no example has a deadline, nor the making of one.
settings.register_profile("interlock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("interlock")

ITEMS = """
CREATE TABLE items (org_id text NOT NULL, name text NOT NULL);
INSERT INTO items VALUES ('A', 'a1'), ('A', 'a2'), ('B', 'b1');
ALTER TABLE items ENABLE ROW LEVEL SECURITY;
ALTER TABLE items FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON items
    USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')));
"""


@dataclass(frozen=True)
class TenantDatabase:
    """A database with the table ``items`` of the orgs A and B, and its addresses."""

    name: str
    tenant_dsn: str
    admin_dsn: str
    owner_dsn: str
    superuser_dsn: str

    @property
    def dsns(self) -> tuple[str, str]:
        return self.tenant_dsn, self.admin_dsn


@pytest.fixture
async def tenant_database(postgres_cluster: EmbeddedPostgres, database: str, database_roles: Roles) -> TenantDatabase:
    roles = database_roles
    postgres_cluster.execute(f'ALTER DATABASE "{database}" OWNER TO "{roles.owner}"')
    found = TenantDatabase(
        name=database,
        tenant_dsn=postgres_cluster.dsn(roles.app, database),
        admin_dsn=postgres_cluster.dsn(roles.admin, database),
        owner_dsn=postgres_cluster.dsn(roles.owner, database),
        superuser_dsn=postgres_cluster.dsn(database=database),
    )
    owner = await asyncpg.connect(found.owner_dsn)
    try:
        await owner.execute(ITEMS)
        await owner.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON items TO "{roles.app}", "{roles.admin}"')
    finally:
        await owner.close()
    return found


PGBOUNCER = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
NOBODY = 65534


@pytest.fixture
def pooler(
    postgres_cluster: EmbeddedPostgres, tenant_database: TenantDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """Addresses of both roles through a real PgBouncer in transaction pooling, with one server session each."""
    if PGBOUNCER is None:
        pytest.skip("pgbouncer is not installed (apt install pgbouncer)")
    folder = Path(postgres_cluster.dsn().split("host=")[1].split("&")[0].replace("%2F", "/"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / f"pgbouncer-{port}.ini"
    users = folder / f"users-{port}.txt"
    users.write_text('"interlock_app" ""\n"interlock_admin" ""\n')
    config.write_text(
        f"""
[databases]
{tenant_database.name} = host={folder} port={postgres_cluster.port} dbname={tenant_database.name}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = 1
ignore_startup_parameters = extra_float_digits
"""
    )
    os.chmod(config, 0o644)
    os.chmod(users, 0o644)
    unprivileged = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    process = subprocess.Popen(
        [PGBOUNCER, "-q", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **unprivileged
    )
    try:
        _wait_for(port, process)
        address = f"postgresql://{{}}@127.0.0.1:{port}/{tenant_database.name}"
        yield address.format("interlock_app"), address.format("interlock_admin")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            pytest.fail("pgbouncer did not start")
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail("pgbouncer does not listen")


StartSentry: TypeAlias = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def start_sentry() -> Iterator[StartSentry]:
    """Start the real client with options; what it would have sent over the network is in the list that it returns."""
    import sentry_sdk
    from sentry_sdk.envelope import Envelope
    from sentry_sdk.transport import Transport

    class Captured(Transport):
        def __init__(self, events: list[dict[str, Any]]) -> None:
            super().__init__()
            self.events = events

        def capture_envelope(self, envelope: Envelope) -> None:
            if (event := envelope.get_event()) is not None:
                self.events.append(dict(event))

    def start(**options: Any) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        sentry_sdk.init(transport=Captured(events), auto_enabling_integrations=False, **options)
        return events

    yield start
    sentry_sdk.init()
