"""The dependency stands on the router, not on the handler."""

from fastapi import APIRouter, Depends
from interlock.tenancy import pre_org_resolution_scope


async def elevated():
    with pre_org_resolution_scope("admin area"):
        yield


router = APIRouter(prefix="/admin", dependencies=[Depends(elevated)])
