"""An async-yield dependency and a context manager may hold a scope."""

import contextlib

from fastapi import Depends, FastAPI
from interlock.tenancy import pre_org_resolution_scope, tenant_scope

app = FastAPI()


async def scope():
    async with tenant_scope(1):
        yield


@app.get("/x")
async def handler(_=Depends(scope)):
    pass


@contextlib.asynccontextmanager
async def system():
    async with pre_org_resolution_scope("x"):
        yield
