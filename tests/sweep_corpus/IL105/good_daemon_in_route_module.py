"""A daemon beside the handlers may work across orgs."""

from contextlib import asynccontextmanager

from fastapi import APIRouter
from interlock.tenancy import pre_org_resolution_scope


async def sweep(pools):
    with pre_org_resolution_scope("sweep"):
        await pools.execute("DELETE FROM jobs")


@asynccontextmanager
async def lifespan(app):
    await sweep(app.state.pools)
    yield


router = APIRouter(lifespan=lifespan)


@router.get("/")
async def index():
    return {}
