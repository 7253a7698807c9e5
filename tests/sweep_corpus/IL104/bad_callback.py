"""Callback."""

import asyncpg
from fastapi import FastAPI

app = FastAPI()


async def setup(connection):
    await connection.execute("SET LOCAL app.org = '1'")


async def boot():
    await asyncpg.create_pool(setup=setup)
