"""A bound method as a job, in a class that keeps its scheduler."""

from apscheduler.schedulers.asyncio import AsyncIOScheduler


class Housekeeping:
    def __init__(self, pool):
        self.pool = pool
        self.scheduler = AsyncIOScheduler()
        self.scheduler.add_job(self._vacuum, "interval", minutes=10, id="vacuum")

    async def _vacuum(self):
        async with self.pool.acquire() as connection:
            await connection.execute("DELETE FROM sessions WHERE expired")
