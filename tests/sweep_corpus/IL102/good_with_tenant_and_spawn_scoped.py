"""With_tenant and spawn_scoped."""

import asyncio

from interlock.tenancy import spawn_scoped, with_tenant


async def work(pool):
    await pool.fetch("SELECT 1")


async def start(pool):
    asyncio.create_task(with_tenant(1, work(pool)))
    spawn_scoped(work(pool))
