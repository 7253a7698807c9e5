"""``INTERLOCK_TRACE_UNSCOPED=1`` on a service: one boot and one tick of every job list what the sweep cannot see.

The service looks its jobs and the pool's methods up by name at run time: the static check finds none of its faults.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from interlock.sweep import sweep

if TYPE_CHECKING:
    from conftest import TenantDatabase

SERVICE = """
import asyncio
import os
import sys
from contextlib import asynccontextmanager

from fastapi import FastAPI
from interlock.errors import ScopeMissing
from interlock.tenancy import create_tenant_pools, pre_org_resolution_scope


class Jobs:
    async def purge(self, pools):
        return await getattr(pools, "fetch")("SELECT 1")

    async def refresh(self, pools):
        async with getattr(pools, "acquire")() as connection:
            return await connection.fetch("SELECT 1")

    async def scoped(self, pools):
        with pre_org_resolution_scope("a job that has its scope"):
            return await getattr(pools, "fetch")("SELECT 1")


async def warm(pools):
    return await getattr(pools, "fetch")("SELECT 1")


async def attempt(job, pools):
    try:
        await job(pools)
    except ScopeMissing:
        pass


@asynccontextmanager
async def lifespan(app):
    addresses = os.environ["TENANT"], os.environ["ADMIN"]
    async with create_tenant_pools(*addresses, min_size=0, max_size=1, doctor="off") as pools:
        await attempt(warm, pools)
        for _ in range(int(sys.argv[1])):
            for name in ("purge", "refresh", "scoped"):
                await attempt(getattr(Jobs(), name), pools)
        yield


app = FastAPI(lifespan=lifespan)


async def boot():
    async with app.router.lifespan_context(app):
        print("served")


asyncio.run(boot())
"""
STACK = re.compile(r"^ScopeMissing at$", re.MULTILINE)


def run(folder: Path, database: TenantDatabase, ticks: int, **environment: str) -> str:
    """One boot and some ticks of every job; return what it wrote to the standard error."""
    service = folder / "service.py"
    service.write_text(SERVICE)
    done = subprocess.run(
        [sys.executable, str(service), str(ticks)],
        env={**os.environ, "TENANT": database.tenant_dsn, "ADMIN": database.admin_dsn, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "served\n"
    return done.stderr


def test_each_unscoped_place_is_listed_once(tmp_path: Path, tenant_database: TenantDatabase) -> None:
    written = run(tmp_path, tenant_database, 1, INTERLOCK_TRACE_UNSCOPED="1")
    assert sweep([tmp_path]).findings == []  # nothing the static check could have said
    stacks = STACK.split(written)[1:]
    last_calls = [re.findall(r'service\.py", line \d+, in (\w+)', stack)[-1] for stack in stacks]
    assert last_calls == ["warm", "purge", "refresh"]
    again = run(tmp_path, tenant_database, 50, INTERLOCK_TRACE_UNSCOPED="1")
    assert len(STACK.findall(again)) == 3


def test_nothing_is_written_unasked(tmp_path: Path, tenant_database: TenantDatabase) -> None:
    assert run(tmp_path, tenant_database, 1, INTERLOCK_TRACE_UNSCOPED="") == ""
