"""Scoped lifespan."""

from fastapi import FastAPI
from interlock.tenancy import pre_org_resolution_scope


async def lifespan(app):
    with pre_org_resolution_scope("start-up"):
        await app.state.pool.fetch("SELECT 1")
    yield


app = FastAPI(lifespan=lifespan)
