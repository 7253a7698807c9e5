"""The pool is a field of a dataclass kept on the application."""

from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from fastapi import FastAPI


@dataclass(slots=True)
class Resources:
    database: asyncpg.Pool
    name: str = "shop"

    async def check(self) -> None:
        await self.database.fetchval("SELECT 1")


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with asyncpg.create_pool(DSN) as pool:
        app.state.resources = Resources(database=pool)
        await app.state.resources.check()
        yield


app = FastAPI(lifespan=lifespan)
