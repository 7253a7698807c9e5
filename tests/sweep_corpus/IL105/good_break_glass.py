"""The capability made at start-up is the one way out of a tenant, and says so."""

from fastapi import APIRouter, Request
from interlock.tenancy import pre_org_resolution_scope

router = APIRouter()


@router.post("/support/{org}")
async def support(request: Request):
    with pre_org_resolution_scope("support case", capability=request.app.state.break_glass):
        return await request.app.state.pools.fetch("SELECT 1")
