"""The decorator that registers the function gets it without the scope: the order is wrong."""

from fastapi import FastAPI
from interlock.tenancy import pre_org_resolution_scope

app = FastAPI()


@pre_org_resolution_scope("start-up")
@app.on_event("startup")
async def start():
    await app.state.pools.fetch("SELECT 1")
