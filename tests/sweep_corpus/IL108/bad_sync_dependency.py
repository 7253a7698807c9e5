"""Sync dependency."""

from fastapi import Depends, FastAPI
from interlock.tenancy import tenant_scope

app = FastAPI()


def scope():
    with tenant_scope(1):
        yield


@app.get("/x")
def handler(_=Depends(scope)):
    pass
