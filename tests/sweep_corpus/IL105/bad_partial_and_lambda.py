"""The handler goes through a stored partial and a lambda."""

import functools

from fastapi import FastAPI
from interlock.tenancy import pre_org_resolution_scope

app = FastAPI()
everything = functools.partial(pre_org_resolution_scope, "everything")
report = lambda pools: read(pools)


async def read(pools):
    with everything():
        return await pools.fetch("SELECT * FROM notes")


@app.get("/report")
async def handler(request):
    return await report(request.app.state.pools)
