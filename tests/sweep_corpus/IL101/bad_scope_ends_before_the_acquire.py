"""The scope covers the log line only."""

from fastapi import FastAPI
from interlock.tenancy import pre_org_resolution_scope

app = FastAPI()


@app.on_event("startup")
async def start():
    with pre_org_resolution_scope("start-up"):
        print("starting")
    await app.state.pools.fetch("SELECT 1")
