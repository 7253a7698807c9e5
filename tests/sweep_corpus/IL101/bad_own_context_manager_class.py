"""The acquire hides in `__aenter__` of a unit of work."""

from contextlib import asynccontextmanager

from fastapi import FastAPI


class UnitOfWork:
    def __init__(self, pool):
        self.pool = pool

    async def __aenter__(self):
        self.connection = await self.pool.acquire()
        return self

    async def __aexit__(self, *exc):
        await self.pool.release(self.connection)


@asynccontextmanager
async def lifespan(app):
    async with UnitOfWork(app.state.pool) as work:
        await work.connection.fetch("SELECT 1")
    yield


app = FastAPI(lifespan=lifespan)
