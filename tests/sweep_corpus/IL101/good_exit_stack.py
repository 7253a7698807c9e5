"""Exit stack."""

import contextlib

from fastapi import FastAPI
from interlock.tenancy import pre_org_resolution_scope


async def lifespan(app):
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(pre_org_resolution_scope("start-up"))
        await app.state.pool.fetch("SELECT 1")
        yield


app = FastAPI(lifespan=lifespan)
