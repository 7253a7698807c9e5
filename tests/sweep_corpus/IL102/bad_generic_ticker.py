"""The job goes through two functions as a parameter."""

import asyncio


async def forever(job, pool, seconds):
    while True:
        await job(pool)
        await asyncio.sleep(seconds)


async def expire(pool):
    async with pool.acquire() as connection:
        await connection.execute("DELETE FROM leases")


def start(pool):
    return asyncio.create_task(forever(expire, pool, 5))
