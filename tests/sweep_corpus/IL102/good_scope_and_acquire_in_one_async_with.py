"""Scope and acquire in one async with."""

import asyncio

from interlock.tenancy import pre_org_resolution_scope


async def loop(pool):
    while True:
        async with pre_org_resolution_scope("tick"), pool.acquire() as connection:
            await connection.fetch("SELECT 1")
        await asyncio.sleep(1)
