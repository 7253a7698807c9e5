"""A template method: the base class calls what the subclass writes, which calls its own base."""

from contextlib import asynccontextmanager

from fastapi import FastAPI


class Repository:
    def __init__(self, pool):
        self._pool = pool

    async def load(self):
        return await self.read()

    async def read(self):
        raise LookupError


class Listing(Repository):
    async def read(self):
        return await self._pool.fetch("SELECT 1")


class Cached(Listing):
    async def read(self):
        return await super().read()


@asynccontextmanager
async def lifespan(app):
    repository = Cached(app.state.pool)
    await repository.load()
    yield


app = FastAPI(lifespan=lifespan)
