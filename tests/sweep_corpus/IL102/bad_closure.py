"""Closure."""

import asyncio


def start(pool):
    async def tick():
        await pool.fetchval("SELECT 1")

    asyncio.ensure_future(tick())
