"""Two lifespans, combined."""

from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI


@asynccontextmanager
async def database(app):
    app.state.version = await app.state.pool.fetchval("SELECT version()")
    yield


@asynccontextmanager
async def lifespan(app):
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(database(app))
        yield


app = FastAPI(lifespan=lifespan)
