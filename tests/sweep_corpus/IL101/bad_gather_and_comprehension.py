"""Start-up waits for several loads at once."""

import asyncio
from contextlib import asynccontextmanager

from fastapi import FastAPI


async def load(pool, table):
    return await pool.fetch(f"SELECT * FROM {table}")


@asynccontextmanager
async def lifespan(app):
    await asyncio.gather(*[load(app.state.pool, table) for table in ("plans", "regions")])
    yield


app = FastAPI(lifespan=lifespan)
