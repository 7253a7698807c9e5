"""The loop sleeps by waiting for its stop event with a time-out."""

import asyncio


class Reaper:
    def __init__(self, pool):
        self.pool = pool
        self.stop = asyncio.Event()

    async def run(self):
        while not self.stop.is_set():
            try:
                await self.reap()
            except Exception:
                pass
            try:
                await asyncio.wait_for(self.stop.wait(), timeout=30)
            except asyncio.TimeoutError:
                continue

    async def reap(self):
        await self.pool.execute("DELETE FROM leases WHERE lapsed")
