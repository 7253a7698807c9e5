"""Plain loop."""

import asyncio


async def sweeper(pool):
    while True:
        await pool.execute("DELETE FROM jobs")
        await asyncio.sleep(60)
