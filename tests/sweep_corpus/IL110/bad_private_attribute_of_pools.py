"""Past the router, through a private attribute of the pools."""

from fastapi import APIRouter, Request

router = APIRouter()


@router.get("/notes")
async def notes(request: Request):
    async with request.app.state.pools._tenant_pool.acquire() as connection:
        return await connection.fetch("SELECT * FROM notes")
