"""What the start refuses: roles that row-level security does not bind, open policies, addresses that are none."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

import asyncpg
import pytest

from interlock.tenancy import (
    PolicyViolation,
    RoleViolation,
    create_tenant_pools,
    pre_org_resolution_scope,
    tenant_scope,
)

if TYPE_CHECKING:
    from conftest import TenantDatabase

SECRET = "s3cret-pass#word"


@pytest.fixture
async def superuser(tenant_database: TenantDatabase) -> asyncpg.Connection:
    connection = await asyncpg.connect(tenant_database.superuser_dsn)
    yield connection
    await connection.execute(
        "ALTER ROLE interlock_app NOSUPERUSER NOBYPASSRLS; ALTER ROLE interlock_admin BYPASSRLS; "
        "ALTER ROLE interlock_app RESET ALL; REVOKE interlock_admin, interlock_owner FROM interlock_app"
    )
    await connection.close()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER ROLE interlock_app SUPERUSER", "is a superuser"),
        ("ALTER ROLE interlock_app BYPASSRLS", "has BYPASSRLS"),
        ("GRANT interlock_admin TO interlock_app", "member of interlock_admin"),
        ("GRANT interlock_owner TO interlock_app", r"owns .* items"),
        ("ALTER TABLE items OWNER TO interlock_app", r"owns .* items"),
        ("ALTER ROLE interlock_app SET app.current_org_id = 'B'", "app.current_org_id set"),
        ("ALTER ROLE interlock_admin NOBYPASSRLS", "admin role interlock_admin does not bypass"),
    ],
)
async def test_a_role_that_is_not_what_it_must_be(
    tenant_database: TenantDatabase, superuser: asyncpg.Connection, change: str, told: str
) -> None:
    await superuser.execute(change)
    with pytest.raises(RoleViolation, match=told):
        await create_tenant_pools(*tenant_database.dsns, min_size=1, max_size=1)


async def test_two_pools_of_one_role(tenant_database: TenantDatabase) -> None:
    with pytest.raises(RoleViolation, match="both log in as interlock_app"):
        await create_tenant_pools(tenant_database.tenant_dsn, tenant_database.tenant_dsn)


async def test_a_role_that_changes_while_the_pools_are_open(
    tenant_database: TenantDatabase, superuser: asyncpg.Connection
) -> None:
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1) as pools:
        with tenant_scope("A"):
            assert await pools.fetchval("SELECT count(*) FROM items") == 2
            await superuser.execute("ALTER ROLE interlock_app BYPASSRLS")
            await pools.expire_connections()
            with pytest.raises(RoleViolation, match="BYPASSRLS"):
                await pools.fetchval("SELECT count(*) FROM items")


SETTING = "current_setting('app.current_org_id', true)"
OPEN_POLICIES = {
    "when unset": f"{SETTING} IS NULL OR org_id = {SETTING}",
    "when empty": f"{SETTING} = '' OR org_id = {SETTING}",
    "always": "true",
    "by default": f"org_id = coalesce(nullif({SETTING}, ''), org_id)",
}


@pytest.mark.parametrize("policy", OPEN_POLICIES)
async def test_a_policy_that_is_open_without_a_tenant(
    tenant_database: TenantDatabase, caplog: pytest.LogCaptureFixture, policy: str
) -> None:
    owner = await asyncpg.connect(tenant_database.owner_dsn)
    await owner.execute(f"ALTER POLICY own_org ON items USING ({OPEN_POLICIES[policy]})")
    await owner.close()
    with pytest.raises(PolicyViolation, match=r"public\.items") as caught:
        await create_tenant_pools(*tenant_database.dsns, min_size=0)
    assert caught.value.tables == ("public.items",)
    with caplog.at_level(logging.WARNING, "interlock.tenancy"):
        await (await create_tenant_pools(*tenant_database.dsns, min_size=0, doctor="warn")).close()
    assert "public.items" in caplog.text
    caplog.clear()
    await (await create_tenant_pools(*tenant_database.dsns, min_size=0, doctor="off")).close()
    assert not caplog.records


async def test_a_second_policy_opens_the_first_and_a_restrictive_one_closes_it(
    tenant_database: TenantDatabase,
) -> None:
    owner = await asyncpg.connect(tenant_database.owner_dsn)
    await owner.execute("CREATE POLICY everyone ON items FOR SELECT USING (name IS NULL)")
    with pytest.raises(PolicyViolation):
        await create_tenant_pools(*tenant_database.dsns, min_size=0)
    await owner.execute(f"CREATE POLICY floor ON items AS RESTRICTIVE USING (org_id = nullif({SETTING}, ''))")
    await owner.close()
    await (await create_tenant_pools(*tenant_database.dsns, min_size=0)).close()


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://app:{SECRET}@localhost:notaport/x",
        "postgresql://app:p@ss/w0rd@host/db",
        f"http://app:{SECRET}@localhost/x",
    ],
)
async def test_an_address_that_is_none_shows_no_secret(dsn: str) -> None:
    with pytest.raises((asyncpg.InterfaceError, OSError)) as caught:
        await create_tenant_pools(dsn, dsn, timeout=2)
    shown = f"{caught.value!r} {caught.value.__cause__!r}"
    assert SECRET not in shown
    assert "w0rd" not in shown
    assert "p@ss" not in shown


async def test_a_database_that_is_down() -> None:
    down = "postgresql://app:hunter2@127.0.0.1:1/x"
    with pytest.raises(ConnectionError, match="Connect call failed") as caught:
        await create_tenant_pools(down, down, timeout=2)
    assert "hunter2" not in str(caught.value)


async def test_no_frame_of_a_failed_login_shows_the_password(
    tenant_database: TenantDatabase, superuser: asyncpg.Connection
) -> None:
    def shown(error: BaseException) -> str:
        assert error.__cause__ is None
        assert error.__context__ is None
        stack = traceback.TracebackException.from_exception(error, capture_locals=True).stack
        return repr([(frame.name, frame.locals) for frame in stack if frame.filename != __file__])

    down = f"postgresql://app:{SECRET.replace('#', '%23')}@127.0.0.1:1/x"
    for options in ({}, {"password": SECRET}):
        with pytest.raises(OSError, match="Connect call failed") as caught:
            await create_tenant_pools(down, down, timeout=2, **options)
        assert "s3cret" not in shown(caught.value)
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1, password=SECRET) as pools:
        await superuser.execute("ALTER ROLE interlock_app NOLOGIN")
        try:
            with tenant_scope("A"), pytest.raises(asyncpg.PostgresError) as refused:
                await pools.fetch("SELECT 1")
        finally:
            await superuser.execute("ALTER ROLE interlock_app LOGIN")
        assert "_get_new_connection" in shown(refused.value)
        assert "s3cret" not in shown(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("mode", "fast"), ("doctor", "yes"), ("guc", "x; DROP TABLE items"), ("guc", "work_mem"), ("guc", "")],
)
def test_arguments_that_cannot_be(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        create_tenant_pools("postgresql:///a", "postgresql:///b", **{name: value})


async def test_the_private_lane_takes_constants_alone(tenant_database: TenantDatabase) -> None:
    async with create_tenant_pools(*tenant_database.dsns, min_size=0) as pools:
        with pytest.raises(TypeError, match="SystemStatement"):
            await pools.lane.fetchval("SELECT 1")


async def test_asyncpg_options_pass_through(tenant_database: TenantDatabase) -> None:
    class Connection(asyncpg.Connection):
        __slots__ = ()

        async def names(self) -> list[str]:
            return [row["name"] for row in await self.fetch("SELECT name FROM items ORDER BY name")]

    seen = []

    async def setup(connection: asyncpg.Connection) -> None:
        seen.append(await connection.fetchval("SELECT current_setting('app.current_org_id', true)"))

    options = {"server_settings": {"application_name": "both"}, "connection_class": Connection, "setup": setup}
    admin = {"server_settings": {"application_name": "admin's"}}
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, admin_options=admin, **options) as pools:
        with tenant_scope("B"):
            async with pools.acquire() as connection:
                assert await connection.names() == ["b1"]
                assert await connection.fetchval("SHOW application_name") == "both"
            with pytest.raises(asyncpg.InterfaceError, match="released"):
                await connection.names()
        with pre_org_resolution_scope("look"):
            assert await pools.fetchval("SHOW application_name") == "admin's"
    assert seen == ["B", ""]
