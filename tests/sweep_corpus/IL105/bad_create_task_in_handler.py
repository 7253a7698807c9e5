"""A task copies the context of the request: it cannot leave the tenant either."""

import asyncio

from fastapi import FastAPI
from interlock.tenancy import pre_org_resolution_scope

app = FastAPI()


async def audit():
    async with pre_org_resolution_scope("audit"):
        pass


@app.post("/pay")
async def pay():
    asyncio.create_task(audit())
