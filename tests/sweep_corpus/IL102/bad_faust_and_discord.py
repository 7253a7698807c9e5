"""Timers of other frameworks."""

from discord.ext import tasks


class Cog:
    def __init__(self, pool):
        self.pool = pool

    @tasks.loop(minutes=5)
    async def refresh(self):
        await self.pool.execute("SELECT refresh()")
