"""One branch opens the scope, the other does not."""

from fastapi import FastAPI
from interlock.tenancy import pre_org_resolution_scope

app = FastAPI()


@app.on_event("startup")
async def start():
    if app.state.multi_tenant:
        with pre_org_resolution_scope("start-up"):
            await app.state.pools.fetch("SELECT 1")
    else:
        await app.state.pools.fetch("SELECT 1")
