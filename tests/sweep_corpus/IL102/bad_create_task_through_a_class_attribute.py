"""Create_task through a class attribute."""

import asyncio

import asyncpg


class Worker:
    def __init__(self, db: asyncpg.Pool):
        self.db = db

    async def run(self):
        await self.tick()

    async def tick(self):
        async with self.db.acquire() as connection, connection.transaction():
            pass


async def start(db: asyncpg.Pool):
    worker = Worker(db)
    asyncio.create_task(worker.run())
