"""The loop never ends, so whoever awaits it is its daemon."""

import asyncio


async def watch(pool):
    while True:
        await pool.fetch("SELECT * FROM outbox")
        await asyncio.sleep(1)


async def serve(pool):
    await migrate()
    await watch(pool)
