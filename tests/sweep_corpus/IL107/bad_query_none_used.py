"""`Query(None)`, then sent as it is."""

from fastapi import APIRouter, Query

router = APIRouter()


@router.get("/notes")
async def notes(request, org_id: int | None = Query(None)):
    async with request.app.state.pool.acquire() as connection:
        return await connection.fetch("SELECT * FROM notes WHERE org_id = $1", org_id)
