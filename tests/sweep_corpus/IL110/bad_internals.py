"""Internals."""

from fastapi import APIRouter

router = APIRouter()

from interlock.tenancy.pools import TenantPools


@router.get("/x")
async def handler():
    pass
