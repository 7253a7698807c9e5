"""Decorator."""

from fastapi import FastAPI
from interlock.tenancy import tenant_scope

app = FastAPI()


@app.middleware("http")
async def scope(request, call_next):
    with tenant_scope(1):
        return await call_next(request)
