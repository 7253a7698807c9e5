"""Handlers take the pools from the application; types are for annotations."""

from typing import TYPE_CHECKING, Annotated

import asyncpg
from asyncpg.pool import Pool
from fastapi import APIRouter, Depends, Request
from interlock.tenancy import TenantPools, acquire_connection

if TYPE_CHECKING:
    from app.db import _pool

router = APIRouter()


def get_pools(request: Request) -> TenantPools:
    return request.app.state.pools


@router.get("/notes")
async def notes(pools: Annotated[TenantPools, Depends(get_pools)], legacy: Pool | None = None):
    try:
        return await pools.fetch("SELECT * FROM notes")
    except asyncpg.PostgresError:
        async with acquire_connection() as connection:
            return await connection.fetch("SELECT * FROM notes")
