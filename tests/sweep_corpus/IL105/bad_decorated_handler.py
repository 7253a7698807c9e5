"""The scope decorates the handler itself."""

from fastapi import APIRouter
from interlock.tenancy import pre_org_resolution_scope as system

router = APIRouter()


@router.get("/stats")
@system("stats")
async def stats(request):
    return await request.app.state.pools.fetch("SELECT count(*) FROM notes")
