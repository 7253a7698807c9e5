"""A scheduler's job, wrapped in a partial."""

import functools

from apscheduler.schedulers.asyncio import AsyncIOScheduler


async def purge(pool, days):
    await pool.execute("DELETE FROM jobs WHERE age > $1", days)


def start(pool):
    scheduler = AsyncIOScheduler()
    scheduler.add_job(functools.partial(purge, pool, 30), "interval", hours=1)
    scheduler.start()
