"""The dependency begins the transaction."""

from fastapi import APIRouter, Depends, Request

router = APIRouter()


async def transaction(request: Request):
    async with request.app.state.pool.acquire() as connection:
        async with connection.transaction():
            yield connection


@router.get("/notes")
async def notes(connection=Depends(transaction)):
    await connection.execute("SET LOCAL statement_timeout = '1s'")
