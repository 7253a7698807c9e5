"""A retry loop is no daemon."""

import asyncio


async def fetch(pool):
    attempt = 0
    while attempt < 3:
        await pool.fetch("SELECT 1")
        await asyncio.sleep(1)
