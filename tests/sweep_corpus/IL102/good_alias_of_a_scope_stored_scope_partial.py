"""Alias of a scope, stored scope, partial."""

import asyncio
import functools

from interlock.tenancy import pre_org_resolution_scope, tenant_scope

as_system = functools.partial(pre_org_resolution_scope, "system")
SYSTEM = pre_org_resolution_scope("system")
scoped = tenant_scope


async def one(pool):
    while True:
        with as_system():
            await pool.fetch("SELECT 1")
        with SYSTEM:
            await pool.fetch("SELECT 1")
        with scoped(1):
            await pool.fetch("SELECT 1")
        await asyncio.sleep(1)
