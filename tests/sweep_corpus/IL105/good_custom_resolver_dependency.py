"""A dependency that finds the org across tenants and then opens its scope is the resolver."""

from fastapi import APIRouter, Depends, HTTPException, Request
from interlock.tenancy import pre_org_resolution_scope, tenant_scope


async def tenant(request: Request):
    with pre_org_resolution_scope("resolve the api key"):
        org = await request.app.state.pools.fetchval("SELECT org_id FROM api_keys")
    if org is None:
        raise HTTPException(401)
    async with tenant_scope(org):
        yield org


router = APIRouter(dependencies=[Depends(tenant)])


@router.get("/notes")
async def notes(request: Request):
    return await request.app.state.pools.fetch("SELECT * FROM notes")
