"""Two loops under one gather, as one task."""

import asyncio


async def read(pool):
    await pool.fetch("SELECT 1")


async def write(pool):
    await pool.execute("SELECT 2")


def start(pool):
    asyncio.ensure_future(asyncio.gather(read(pool), write(pool)))
