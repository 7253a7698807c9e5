"""The dependency that finds the org for `scoped` is a resolver."""

from fastapi import APIRouter, Depends, Request
from interlock.tenancy import pre_org_resolution_scope
from interlock.web import scoped


@pre_org_resolution_scope("resolve the session")
async def org_of_session(request: Request):
    return await request.app.state.pools.fetchval("SELECT org_id FROM sessions")


router = APIRouter(dependencies=[Depends(scoped(org_of_session))])


@router.get("/notes")
async def notes(request: Request, org=Depends(scoped(org_of_session))):
    return await request.app.state.pools.fetch("SELECT * FROM notes")
