"""A scheduler's job, as a lambda."""

from apscheduler.schedulers.asyncio import AsyncIOScheduler

scheduler = AsyncIOScheduler()


def start(pool):
    scheduler.add_job(lambda: pool.execute("DELETE FROM jobs"), "cron", hour=3)
