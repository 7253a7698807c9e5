"""Starlette, and the pool in a state mapping that the lifespan yields."""

import contextlib

import asyncpg
from starlette.applications import Starlette


@contextlib.asynccontextmanager
async def lifespan(app):
    async with asyncpg.create_pool(DSN) as db:
        await db.execute("SELECT set_config('a.b', 'c', false)")
        yield {"db": db}


app = Starlette(routes=[], lifespan=lifespan)
