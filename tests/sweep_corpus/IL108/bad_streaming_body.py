"""A streamed body opens the scope across its yields."""

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from interlock.tenancy import tenant_scope

router = APIRouter()


@router.get("/export")
async def export(request, org: int):
    async def rows():
        async with tenant_scope(org):
            for row in await request.app.state.pools.fetch("SELECT * FROM notes"):
                yield row["body"]

    return StreamingResponse(rows())
