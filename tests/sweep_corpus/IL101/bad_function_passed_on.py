"""Start-up hands the function to a retry that calls it."""

from contextlib import asynccontextmanager

from fastapi import FastAPI


async def with_retries(operation, *args):
    for _ in range(3):
        try:
            return await operation(*args)
        except OSError:
            continue


async def read_settings(pool):
    return await pool.fetchrow("SELECT * FROM settings")


@asynccontextmanager
async def lifespan(app):
    app.state.settings = await with_retries(read_settings, app.state.pool)
    yield


app = FastAPI(lifespan=lifespan)
