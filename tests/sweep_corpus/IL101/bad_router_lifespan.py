"""An APIRouter has a lifespan of its own."""

from fastapi import APIRouter, FastAPI


async def prime(app: FastAPI):
    async with app.state.pools.transaction() as connection:
        await connection.execute("SELECT 1")
    yield


router = APIRouter(lifespan=prime)
