"""Handler."""

from fastapi import APIRouter
from interlock.tenancy import pre_org_resolution_scope

router = APIRouter()


@router.get("/all")
async def everything():
    return await report()


async def report():
    with pre_org_resolution_scope("report"):
        pass
