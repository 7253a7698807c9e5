"""The handler's connection comes from a dependency that begins no transaction."""

from typing import Annotated

import asyncpg
from fastapi import APIRouter, Depends, Request

router = APIRouter()


async def get_connection(request: Request):
    async with request.app.state.pool.acquire() as connection:
        yield connection


@router.get("/notes")
async def notes(connection: Annotated[asyncpg.Connection, Depends(get_connection)], org: int):
    await connection.execute("SELECT set_config('app.current_org_id', $1, is_local => true)", str(org))
    return await connection.fetch("SELECT * FROM notes")
