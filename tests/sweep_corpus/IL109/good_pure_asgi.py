"""A pure ASGI middleware holds the scope until the body has been sent; other middleware opens none."""

from fastapi import FastAPI
from interlock.tenancy import tenant_scope
from interlock.web import TenantMiddleware
from starlette.middleware.base import BaseHTTPMiddleware


class Scope:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async with tenant_scope(scope["state"]["org"]):
            await self.app(scope, receive, send)


class Timing(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        response.headers["x-time"] = "1"
        return response


app = FastAPI()
app.add_middleware(TenantMiddleware, resolve=lambda connection: None)
app.add_middleware(Scope)
app.add_middleware(Timing)
