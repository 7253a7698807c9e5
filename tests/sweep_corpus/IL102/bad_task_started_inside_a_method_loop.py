"""Workers started in a comprehension from a list of classes' instances."""

import asyncio


class Poller:
    def __init__(self, pool):
        self._pool = pool

    async def __call__(self):
        await self._pool.fetch("SELECT 1")


class Supervisor:
    def __init__(self, pool):
        self.poller = Poller(pool)

    def start(self):
        self.tasks = [asyncio.create_task(self.poller()) for _ in range(4)]
