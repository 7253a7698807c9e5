"""A decorator of another library hides nothing."""

from fastapi import FastAPI
from tenacity import retry, stop_after_attempt

app = FastAPI()


@retry(stop=stop_after_attempt(3))
async def ping(pool):
    async with pool.acquire() as connection:
        await connection.fetchval("SELECT 1")


@app.on_event("startup")
async def start():
    await ping(app.state.pool)
