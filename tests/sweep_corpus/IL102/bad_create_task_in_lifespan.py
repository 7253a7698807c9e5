"""A worker started by the lifespan, its coroutine kept in a name first."""

import asyncio
from contextlib import asynccontextmanager

from fastapi import FastAPI


async def poll(queue, pool):
    async for item in queue:
        await handle(item, pool)


async def handle(item, pool):
    async with pool.acquire() as connection:
        await connection.execute("UPDATE jobs SET done = true WHERE id = $1", item)


@asynccontextmanager
async def lifespan(app):
    coroutine = poll(app.state.queue, app.state.pool)
    task = asyncio.create_task(coroutine, name="poll")
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)
