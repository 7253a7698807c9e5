"""Dependency."""

from fastapi import Depends, FastAPI
from interlock.tenancy import pre_org_resolution_scope

app = FastAPI()


async def as_admin():
    async with pre_org_resolution_scope("x"):
        yield


@app.post("/x")
async def handler(_=Depends(as_admin)):
    pass
