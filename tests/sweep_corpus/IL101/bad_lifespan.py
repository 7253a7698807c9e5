"""Lifespan."""

import contextlib

from fastapi import FastAPI


@contextlib.asynccontextmanager
async def lifespan(app):
    await warm(app.state.pool)
    yield


async def warm(pool):
    async with pool.acquire() as connection:
        await connection.fetch("SELECT 1")


app = FastAPI(lifespan=lifespan)
