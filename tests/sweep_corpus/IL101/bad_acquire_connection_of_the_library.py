"""The library's own `acquire_connection`, renamed."""

from contextlib import asynccontextmanager

from fastapi import FastAPI
from interlock.tenancy import acquire_connection as connect


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with connect() as connection:
        await connection.fetch("SELECT 1")
    yield


app = FastAPI(lifespan=lifespan)
