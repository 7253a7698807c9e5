"""Password."""

import asyncpg
from fastapi import FastAPI

app = FastAPI()


async def boot():
    return await asyncpg.create_pool(host="db", user="app", password="s3cret")
