"""The resolver of the middleware looks the org up, however it is handed over."""

from fastapi import FastAPI, HTTPException
from interlock.tenancy import pre_org_resolution_scope
from interlock.web import TenantMiddleware
from starlette.middleware import Middleware


async def org_of_key(key):
    with pre_org_resolution_scope("api key"):
        return await pools.fetchval("SELECT org_id FROM api_keys WHERE key = $1", key)


async def resolve(connection):
    org = await org_of_key(connection.headers.get("authorization"))
    if org is None:
        raise HTTPException(401)
    return org


app = FastAPI(middleware=[Middleware(TenantMiddleware, resolve=resolve)])
app.add_middleware(TenantMiddleware, resolve=lambda connection: org_of_key(connection.headers["x-key"]))


@app.get("/me")
async def me():
    return {}
