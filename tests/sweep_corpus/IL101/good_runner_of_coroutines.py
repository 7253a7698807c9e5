"""A runner that awaits what it is given inside the scope."""

from contextlib import asynccontextmanager

from fastapi import FastAPI
from interlock.tenancy import pre_org_resolution_scope, with_tenant


async def in_system(coroutine):
    with pre_org_resolution_scope("start-up"):
        return await coroutine


async def call_in_system(function, *args):
    async with pre_org_resolution_scope("start-up"):
        return await function(*args)


async def load(pool):
    await pool.fetch("SELECT 1")


@asynccontextmanager
async def lifespan(app):
    await in_system(load(app.state.pools))
    await in_system(app.state.pools.fetch("SELECT 1"))
    await call_in_system(load, app.state.pools)
    for org in app.state.orgs:
        await with_tenant(org, lambda: load(app.state.pools))
    yield


app = FastAPI(lifespan=lifespan)
