"""No error of the pools shows a secret, or another tenant, in its message or in any frame of its traceback."""

from __future__ import annotations

import asyncio
import contextlib
import re
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from interlock.errors import InvalidOrgId, RoleViolation
from interlock.tenancy import Key, PoolExhausted, TenantPools, create_tenant_pools, tenant_scope, with_tenant
from interlock.tenancy.seal import generate_key

if TYPE_CHECKING:
    from conftest import TenantDatabase

PASSWORD = "s3cret-password"
SCOPE_KEY = generate_key()
HOLDER, WAITER = "org-of-the-holder", "org-that-waits"
# Not asyncpg's InternalClientError, which it raises where it reads the server's farewell between two statements.
TYPED = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
PRIVATE = (PASSWORD, SCOPE_KEY, HOLDER, WAITER)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error with all that is behind it, each once."""
    found: dict[int, BaseException] = {}
    behind = [error]
    while behind:
        if (one := behind.pop()) is not None and id(one) not in found:
            found[id(one)] = one
            behind += [one.__cause__, one.__context__]
    return iter(found.values())


def _frames(trace: types.TracebackType | None) -> Iterator[types.FrameType]:
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def shown(error: BaseException) -> str:
    """All that a report with local variables shows of ``error``, but for the frames of this file."""
    texts = []
    for one in _chain(error):
        texts += [repr(one), str(one), repr(vars(one))]
        texts += [
            f"{frame.f_code.co_qualname if hasattr(frame.f_code, 'co_qualname') else ''} {name}={value!r}"
            for frame in _frames(one.__traceback__)
            if frame.f_code.co_filename != __file__
            for name, value in frame.f_locals.items()
        ]
    return "\n".join(texts)


def leaks(error: BaseException) -> list[str]:
    return [line for line in shown(error).splitlines() if any(secret in line for secret in PRIVATE)]


def _with_password(dsn: str) -> str:
    return re.sub("//([^@/]*)@", rf"//\1:{PASSWORD}@", dsn)


async def _error_of(work: Callable[[], Awaitable[object]]) -> BaseException:
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - what is raised is what is looked at
        return error
    pytest.fail("nothing was raised")


async def test_the_look_finds_what_the_driver_shows() -> None:
    error = await _error_of(lambda: asyncpg.connect(f"postgresql://app:{PASSWORD}@127.0.0.1:1/x"))
    assert leaks(error)


@pytest.fixture(params=["merged", "pipelined", "transaction"])
async def pools(request: pytest.FixtureRequest, tenant_database: TenantDatabase) -> AsyncIterator[TenantPools]:
    options = {"password": PASSWORD, "tamper_evident": Key(SCOPE_KEY), "mode": request.param}
    async with create_tenant_pools(*tenant_database.dsns, min_size=0, max_size=1, **options) as pools:
        yield pools


async def test_an_exhausted_pool(pools: TenantPools) -> None:
    taken, enough = asyncio.Event(), asyncio.Event()

    async def use(org: str) -> None:
        with tenant_scope(org):
            async with pools.acquire():
                taken.set()
                await enough.wait()

    async def acquire(timeout: float | None) -> None:
        async with pools.acquire(timeout=timeout):
            pytest.fail("the connection is in use")

    async with asyncio.TaskGroup() as group:
        group.create_task(use(HOLDER))
        await taken.wait()
        group.create_task(use(WAITER))
        await asyncio.sleep(0)
        try:
            with tenant_scope("mine"):
                exhausted = await _error_of(lambda: acquire(0.01))
                timed_out = await _error_of(lambda: asyncio.wait_for(acquire(None), 0.01))
        finally:
            enough.set()
    assert isinstance(exhausted, PoolExhausted)
    assert isinstance(exhausted, TimeoutError)
    assert not leaks(exhausted)
    assert isinstance(timed_out, TimeoutError)
    assert not leaks(timed_out)


async def test_a_database_that_goes_down_under_open_pools(pools: TenantPools, tenant_database: TenantDatabase) -> None:
    with tenant_scope(HOLDER):
        async with pools.transaction() as connection:
            await connection.fetchval("SELECT 1")
    superuser = await asyncpg.connect(tenant_database.superuser_dsn)
    # From now on every session ends, and no new one begins.
    await superuser.execute("ALTER ROLE interlock_app NOLOGIN")
    await superuser.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'interlock_app'")

    async def use() -> None:
        async with pools.transaction() as connection:
            await connection.fetchval("SELECT 1")

    try:
        with tenant_scope("mine"):
            for _ in range(3):
                error = await _error_of(use)
                assert isinstance(error, TYPED)
                assert not leaks(error)
    finally:
        await superuser.execute("ALTER ROLE interlock_app LOGIN")
        await superuser.close()


async def test_a_session_that_ends_while_it_is_held(pools: TenantPools, tenant_database: TenantDatabase) -> None:
    superuser = await asyncpg.connect(tenant_database.superuser_dsn)
    for turns in range(6):
        with tenant_scope("mine"), contextlib.suppress(*TYPED):
            async with pools.transaction() as connection:
                await superuser.fetchval("SELECT pg_terminate_backend($1)", connection.get_server_pid())
                for _ in range(turns):
                    await asyncio.sleep(0)
                await connection.fetchval("SELECT 1")
    await superuser.close()


async def test_roles_that_are_not_what_they_must_be(tenant_database: TenantDatabase) -> None:
    app, admin = tenant_database.dsns
    for dsns in (
        (admin, app),
        (app, app),
        (tenant_database.superuser_dsn, admin),
        (tenant_database.owner_dsn, admin),
        (app, tenant_database.owner_dsn),
    ):
        for addresses, options in ((dsns, {"password": PASSWORD}), (map(_with_password, dsns), {})):
            tenant, cross_tenant = addresses
            error = await _error_of(lambda t=tenant, c=cross_tenant, o=options: create_tenant_pools(t, c, **o)._open())
            assert isinstance(error, RoleViolation)
            assert not leaks(error)


async def test_addresses_that_lead_nowhere(tenant_database: TenantDatabase) -> None:
    app = _with_password(tenant_database.tenant_dsn)
    for dsn, raised in (
        (f"postgresql://app:{PASSWORD}@127.0.0.1:1/x", OSError),
        (app.replace(tenant_database.name, "no_such_database"), asyncpg.InvalidCatalogNameError),
        (app.replace("interlock_app", "nobody_of_that_name"), asyncpg.PostgresError),
    ):
        error = await _error_of(lambda dsn=dsn: create_tenant_pools(dsn, dsn, timeout=10)._open())
        assert isinstance(error, raised)
        assert not leaks(error)


HOSTILE = [
    *("'; SET app.current_org_id = 'B", "a\0b", "lone \ud800", "", " ", "A\n", "A'", '"A"', "\\", "é", "x" * 129),
    *(None, True, 1.5, b"A", [], object()),
]


async def test_an_org_id_that_is_none(pools: TenantPools) -> None:
    before = pools.stats()
    for hostile in HOSTILE:

        async def enter(hostile: Any = hostile) -> None:
            with tenant_scope(hostile):
                await pools.fetch("SELECT 1")

        for attempt in (enter, lambda hostile=hostile: with_tenant(hostile, enter)):
            error = await _error_of(attempt)
            assert isinstance(error, InvalidOrgId)
            assert isinstance(error, ValueError)
            assert not (isinstance(hostile, str) and len(hostile) > 3 and hostile in str(error))
            # It can be logged, sent and stored anywhere.
            str(error).encode()
    assert pools.stats() == before
    with contextlib.suppress(asyncpg.PostgresError), tenant_scope("mine"):
        async with pools.transaction() as connection:
            assert await connection.fetchval("SELECT current_setting('app.current_org_id')") == "mine"
