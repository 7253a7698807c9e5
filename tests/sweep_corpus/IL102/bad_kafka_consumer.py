"""A consumer of messages, started by hand, that asks a service with a pool."""

import asyncio


class Projector:
    def __init__(self, consumer, pool):
        self.consumer = consumer
        self.pool = pool

    async def run(self):
        async for message in self.consumer:
            await self.project(message)

    async def project(self, message):
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute("INSERT INTO seen VALUES ($1)", message.key)


async def main(consumer, pool):
    await Projector(consumer, pool).run()


if __name__ == "__main__":
    asyncio.run(main(make_consumer(), make_pool()))
