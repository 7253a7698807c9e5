"""A Protocol stands between: its implementation acquires."""

from contextlib import asynccontextmanager
from typing import Protocol

from fastapi import FastAPI


class Flags(Protocol):
    async def load(self) -> list: ...


class PostgresFlags(Flags):
    def __init__(self, pool):
        self._pool = pool

    async def load(self) -> list:
        return await self._pool.fetch("SELECT * FROM flags")


async def warm(flags: Flags) -> None:
    await flags.load()


@asynccontextmanager
async def lifespan(app):
    await warm(PostgresFlags(app.state.pool))
    yield


app = FastAPI(lifespan=lifespan)
