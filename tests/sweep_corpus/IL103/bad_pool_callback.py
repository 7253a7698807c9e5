"""Pool callback."""

import asyncpg

pools = None


async def init(connection):
    await pools.fetch("SELECT 1")


async def boot():
    await asyncpg.create_pool(init=init)
