"""The resolver works before the tenant is known."""

from fastapi import FastAPI
from interlock.tenancy import pre_org_resolution_scope

app = FastAPI()


async def resolve(connection):
    with pre_org_resolution_scope("log-in"):
        return 1


app.add_middleware(object, resolve=resolve)
