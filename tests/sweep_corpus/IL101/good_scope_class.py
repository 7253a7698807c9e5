"""A context manager class of one's own that enters the scope."""

from fastapi import FastAPI
from interlock.tenancy import pre_org_resolution_scope

app = FastAPI()


class SystemScope:
    def __init__(self, reason):
        self.scope = pre_org_resolution_scope(reason)

    async def __aenter__(self):
        return await self.scope.__aenter__()

    async def __aexit__(self, *exc):
        return await self.scope.__aexit__(*exc)


@app.on_event("startup")
async def start():
    async with SystemScope("start-up"):
        await app.state.pools.fetch("SELECT 1")
