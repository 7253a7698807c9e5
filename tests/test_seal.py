"""The seal: what PostgreSQL accepts as the org of a session, and what it refuses."""

from __future__ import annotations

import copy
import hashlib
import hmac
import pickle
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock._native import scope_key_pads
from interlock.schema import migrate
from interlock.tenancy import InvalidOrgId, Key, rotate_scope_key
from interlock.tenancy.seal import ENVIRONMENT_VARIABLE, LIFETIME, generate_key, key_for, seal
from interlock.testing import EmbeddedPostgres
from interlock.testing.roles import Roles

ORG_A = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
ORG_B = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
KEY = Key("0123456789abcdef" * 4)

REFUSED = asyncpg.InsufficientPrivilegeError  # SQLSTATE 42501

POLICY = "org_id = (SELECT interlock.current_org())::uuid"


@given(secret=st.binary(min_size=32, max_size=200), pid=st.integers(1, 2**31 - 1), expiry=st.integers(0, 2**40))
def test_the_seal_is_hmac_sha256(secret: bytes, pid: int, expiry: int) -> None:
    key = Key(secret)
    key_id, shown_expiry, mac = key.seal(pid, ORG_A, expiry).split(".")
    message = f"interlock.scope.1|{pid}|{expiry}|{ORG_A}".encode()
    assert mac == hmac.new(secret, message, hashlib.sha256).hexdigest()
    assert (key_id, int(shown_expiry)) == (key.id, expiry)


@given(text=st.text(min_size=32, max_size=80))
def test_a_key_shows_its_id_alone(text: str) -> None:
    key = Key(text)
    assert repr(key) == str(key) == f"Key(id={key.id})"
    assert text not in repr(key)
    assert not hasattr(key, "__dict__")
    for duplicate in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            duplicate(key)


def test_text_and_its_utf8_bytes_are_one_key() -> None:
    assert Key("é" * 20) == Key(("é" * 20).encode())
    assert Key(b"a" * 32) != Key(b"b" * 32)
    assert len({Key(b"a" * 32), Key("a" * 32)}) == 1


@pytest.mark.parametrize("secret", ["", "x" * 31, b"x" * 31, "\ud800" * 40])
def test_a_weak_or_broken_key_is_refused(secret: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"scope key") as refusal:
        Key(secret)
    assert "xxx" not in str(refusal.value)
    assert refusal.value.__context__ is None


def test_where_the_key_comes_from() -> None:
    assert key_for(False, environ={ENVIRONMENT_VARIABLE: "x" * 64}) is None
    assert key_for(KEY, environ={}) is KEY
    secret = generate_key()
    assert key_for(True, environ={ENVIRONMENT_VARIABLE: secret}) == Key(secret)
    for environ in ({}, {ENVIRONMENT_VARIABLE: ""}):
        with pytest.raises(ValueError, match=ENVIRONMENT_VARIABLE):
            key_for(True, environ=environ)


def test_only_an_org_id_can_be_sealed() -> None:
    with pytest.raises(InvalidOrgId):
        KEY.seal(1, "a|b", 1)
    assert seal(KEY, 1, ORG_A, now=1000.9) == (KEY.seal(1, ORG_A, 1000 + LIFETIME), 1000 + LIFETIME)


# --- in PostgreSQL


@pytest.fixture
async def owner(
    postgres_cluster: EmbeddedPostgres, database: str, database_roles: Roles
) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres_cluster.dsn(database_roles.owner, database))
    await migrate(connection, tenant_role=database_roles.app, admin_role=database_roles.admin, scope_key=KEY)
    await connection.execute(
        f"""
        CREATE TABLE items (id int, org_id uuid NOT NULL, PRIMARY KEY (org_id, id));
        CREATE TABLE tags (item int, org_id uuid NOT NULL, tag text);
        ALTER TABLE items ENABLE ROW LEVEL SECURITY; ALTER TABLE items FORCE ROW LEVEL SECURITY;
        ALTER TABLE tags ENABLE ROW LEVEL SECURITY; ALTER TABLE tags FORCE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON items USING ({POLICY}) WITH CHECK ({POLICY});
        CREATE POLICY tenant ON tags USING ({POLICY}) WITH CHECK ({POLICY});
        GRANT SELECT, INSERT, UPDATE, DELETE ON items, tags TO "{database_roles.app}", "{database_roles.admin}";
        """
    )
    yield connection
    await connection.close()


@pytest.fixture
async def app(owner: asyncpg.Connection, db: asyncpg.Connection, db_as_app: asyncpg.Connection) -> asyncpg.Connection:
    for org in (ORG_A, ORG_B):
        await db.execute("INSERT INTO items SELECT n, $1 FROM generate_series(1, 100) n", org)
        await db.execute("INSERT INTO tags VALUES (1, $1, 'first')", org)
    return db_as_app


async def enter(
    connection: asyncpg.Connection,
    org: str,
    *,
    key: Key = KEY,
    pid: int | None = None,
    now: float | None = None,
    local: bool = False,
) -> None:
    token, _ = seal(key, connection.get_server_pid() if pid is None else pid, org, now=now)
    await connection.execute(
        "SELECT set_config('app.current_org_id', $1, $3), set_config('interlock.seal', $2, $3)", org, token, local
    )


async def orgs(connection: asyncpg.Connection) -> set[str]:
    return {str(row["org_id"]) for row in await connection.fetch("SELECT DISTINCT org_id FROM items")}


async def test_a_sealed_scope_sees_its_own_org(app: asyncpg.Connection) -> None:
    for org in (ORG_A, ORG_B, ORG_A):
        await enter(app, org)
        assert await orgs(app) == {org}
        assert await app.fetchval("SELECT interlock.current_org()") == org
        assert await app.fetchval("SELECT count(*) FROM items JOIN tags ON tags.item = items.id") == 1


INJECTED = [
    f"SET app.current_org_id = '{ORG_B}'",
    f"SELECT set_config('app.current_org_id', '{ORG_B}', true)",
    "SET app.current_org_id = ''",
    "RESET app.current_org_id",
    "RESET ALL",
    "SET interlock.seal = ''",
    "SET interlock.seal = 'a.b.c'",
    "SET interlock.seal = '...'",
    "SELECT set_config('interlock.seal', replace(current_setting('interlock.seal'), '.', '.9'), false)",
    "SELECT set_config('interlock.seal', current_setting('interlock.seal') || '0', false)",
    "SELECT set_config('interlock.seal', upper(current_setting('interlock.seal')), false)",
]


async def test_an_injected_setting_is_42501(app: asyncpg.Connection) -> None:
    for injected in INJECTED:
        await enter(app, ORG_A)
        secret = await app.fetchval("SELECT split_part(current_setting('interlock.seal'), '.', 3)")
        async with app.transaction():
            await app.execute(injected)
            for statement in (
                "SELECT * FROM items",
                f"INSERT INTO items VALUES (1000, '{ORG_B}')",
                f"UPDATE items SET id = 1001 WHERE org_id = '{ORG_B}' AND id = 1",
                f"DELETE FROM items WHERE org_id = '{ORG_B}'",
            ):
                with pytest.raises(REFUSED) as refusal:
                    async with app.transaction():
                        await app.execute(statement)
                told = f"{refusal.value} {refusal.value.detail} {refusal.value.hint}"
                assert not [shown for shown in (ORG_A, ORG_B, secret) if shown in told], injected
        await enter(app, ORG_A)
        assert await orgs(app) == {ORG_A}


async def test_a_fresh_session_has_no_scope(app: asyncpg.Connection) -> None:
    with pytest.raises(REFUSED, match="no tenant scope"):
        await orgs(app)


async def test_with_check_refuses_a_foreign_row(app: asyncpg.Connection) -> None:
    await enter(app, ORG_A)
    await app.execute(f"INSERT INTO items VALUES (500, '{ORG_A}')")
    with pytest.raises(REFUSED):
        await app.execute(f"INSERT INTO items VALUES (500, '{ORG_B}')")
    with pytest.raises(REFUSED):
        await app.execute(f"UPDATE items SET org_id = '{ORG_B}' WHERE id = 500")
    assert await app.execute(f"DELETE FROM items WHERE org_id = '{ORG_B}'") == "DELETE 0"


async def test_a_seal_is_bound_to_its_backend(
    app: asyncpg.Connection, postgres_cluster: EmbeddedPostgres, database: str, app_role_name: str
) -> None:
    other = await asyncpg.connect(postgres_cluster.dsn(app_role_name, database))
    try:
        await enter(other, ORG_A, pid=app.get_server_pid())
        with pytest.raises(REFUSED, match="not sealed"):
            await orgs(other)
    finally:
        await other.close()


async def test_a_seal_expires(app: asyncpg.Connection) -> None:
    await enter(app, ORG_A, now=time.time() - LIFETIME - 2)
    with pytest.raises(REFUSED, match="expired"):
        await orgs(app)
    await enter(app, ORG_A, now=time.time() - LIFETIME + 60)
    assert await orgs(app) == {ORG_A}


async def test_two_keys_are_valid_during_a_rotation(owner: asyncpg.Connection, app: asyncpg.Connection) -> None:
    second, third = Key("2" * 64), Key("3" * 64)
    await enter(app, ORG_A, key=second)
    with pytest.raises(REFUSED, match="not sealed"):
        await orgs(app)

    async def accepted() -> list[Key]:
        valid = []
        for key in (KEY, second, third):
            await enter(app, ORG_A, key=key)
            try:
                assert await orgs(app) == {ORG_A}
            except REFUSED:
                continue
            valid.append(key)
        return valid

    await rotate_scope_key(owner, second)
    assert await accepted() == [KEY, second]
    await rotate_scope_key(owner, second)
    assert await accepted() == [KEY, second], "repeating a rotation changes nothing"
    await rotate_scope_key(owner, third)
    assert await accepted() == [second, third]
    await rotate_scope_key(owner, third, keep_previous=False)
    assert await accepted() == [third]


async def test_migrating_again_keeps_the_key(
    owner: asyncpg.Connection, app: asyncpg.Connection, database_roles: Roles
) -> None:
    for scope_key in (KEY, None):
        await migrate(owner, tenant_role=database_roles.app, admin_role=database_roles.admin, scope_key=scope_key)
        await enter(app, ORG_A)
        assert await orgs(app) == {ORG_A}


async def test_only_the_definer_reads_the_keys(
    owner: asyncpg.Connection, app: asyncpg.Connection, db: asyncpg.Connection, database_roles: Roles
) -> None:
    # As the owner's default privileges would; migrating takes it back.
    await owner.execute(
        f'GRANT ALL ON interlock.scope_keys TO PUBLIC, "{database_roles.app}", "{database_roles.admin}"'
    )
    await migrate(owner, tenant_role=database_roles.app, admin_role=database_roles.admin)
    for connection in (app, db):
        for statement in (
            "SELECT * FROM interlock.scope_keys",
            "INSERT INTO interlock.scope_keys SELECT * FROM interlock.scope_keys",
            "DELETE FROM interlock.scope_keys",
            "CREATE FUNCTION interlock.evil() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        ):
            with pytest.raises(REFUSED):
                await connection.execute(statement)
    pads = [pad.hex() for pad in scope_key_pads(KEY)]
    source = await app.fetchval("SELECT string_agg(prosrc, '') FROM pg_proc")
    assert not [pad for pad in pads if pad in source]


async def test_a_prepared_statement_follows_the_org(app: asyncpg.Connection) -> None:
    """A generic plan is made after five executions; the org must not be baked into it."""
    await app.execute("SET plan_cache_mode = force_generic_plan")
    statement = await app.prepare("SELECT DISTINCT org_id FROM items WHERE id = $1")
    for org in [ORG_A] * 8 + [ORG_B] * 8 + [ORG_A]:
        await enter(app, org)
        assert [str(row["org_id"]) for row in await statement.fetch(1)] == [org]


async def test_a_local_seal_ends_with_its_transaction(app: asyncpg.Connection) -> None:
    async with app.transaction():
        await enter(app, ORG_A, local=True)
        assert await orgs(app) == {ORG_A}
    with pytest.raises(REFUSED, match="no tenant scope"):
        await orgs(app)


async def test_the_seal_is_not_verified_in_a_parallel_worker(app: asyncpg.Connection) -> None:
    """A worker has a process id of its own, for which no seal was made."""
    forced = "debug_parallel_query" if app.get_server_version().major >= 16 else "force_parallel_mode"
    await app.execute(f"SET {forced} = on")
    await enter(app, ORG_A)
    # Not fetchval: asking for one row alone keeps the plan out of the workers.
    assert await app.fetch("SELECT interlock.current_org()") == [(ORG_A,)]
    assert await orgs(app) == {ORG_A}


async def test_what_the_function_calls_cannot_be_replaced(
    owner: asyncpg.Connection, app: asyncpg.Connection, app_role_name: str
) -> None:
    await owner.execute(f'CREATE SCHEMA evil; GRANT ALL ON SCHEMA evil TO "{app_role_name}"')
    await enter(app, ORG_A)
    for schema in ("evil", "pg_temp"):
        await app.execute(
            f"CREATE FUNCTION {schema}.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$;"
            f"CREATE TABLE {schema}.scope_keys (id text, inner_pad bytea, outer_pad bytea)"
        )
    await app.execute(f"SET search_path = evil, pg_temp, pg_catalog; SET app.current_org_id = '{ORG_B}'")
    with pytest.raises(REFUSED):
        await app.fetch("SELECT * FROM public.items")


async def test_another_setting_may_hold_the_org(owner: asyncpg.Connection, app: asyncpg.Connection) -> None:
    other = "org_id = (SELECT interlock.current_org('tenant.id'))::uuid"
    await owner.execute(f"ALTER POLICY tenant ON items USING ({other}) WITH CHECK ({other})")
    await enter(app, ORG_A)
    with pytest.raises(REFUSED, match="no tenant scope"):
        await orgs(app)
    await app.execute("SELECT set_config('tenant.id', $1, false)", ORG_A)
    assert await orgs(app) == {ORG_A}
