"""A task group of asyncio and one of anyio."""

import asyncio
from contextlib import asynccontextmanager

import anyio
from fastapi import FastAPI


async def first(pool):
    await pool.execute("SELECT 1")


@asynccontextmanager
async def lifespan(app):
    async with asyncio.TaskGroup() as group:
        group.create_task(first(app.state.pool))
        yield


app = FastAPI(lifespan=lifespan)
