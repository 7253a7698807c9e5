"""An abstract worker loops; each subclass writes the tick."""

import abc
import asyncio


class Worker(abc.ABC):
    interval = 5

    def __init__(self, pool):
        self.pool = pool

    def start(self):
        self._task = asyncio.create_task(self._run())

    async def _run(self):
        while True:
            await self.tick()
            await asyncio.sleep(self.interval)

    @abc.abstractmethod
    async def tick(self): ...


class Cleaner(Worker):
    async def tick(self):
        await self.pool.execute("DELETE FROM jobs")
