"""The class itself, with a function as `dispatch`."""

from fastapi import FastAPI
from interlock.tenancy import tenant_scope
from starlette.middleware.base import BaseHTTPMiddleware


async def scope_request(request, call_next):
    async with tenant_scope(request.headers["x-org"]):
        return await call_next(request)


app = FastAPI()
app.add_middleware(BaseHTTPMiddleware, dispatch=scope_request)
