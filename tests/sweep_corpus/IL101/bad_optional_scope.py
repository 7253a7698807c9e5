"""A scope that may be `nullcontext()` is none."""

from contextlib import nullcontext

from fastapi import FastAPI
from interlock.tenancy import pre_org_resolution_scope

app = FastAPI()


@app.on_event("startup")
async def start():
    with pre_org_resolution_scope("start-up") if app.state.strict else nullcontext():
        await app.state.pools.fetch("SELECT 1")
