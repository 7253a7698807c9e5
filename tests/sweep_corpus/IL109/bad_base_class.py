"""Base class."""

from interlock.tenancy import tenant_scope
from starlette.middleware.base import BaseHTTPMiddleware


class Scope(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        async with tenant_scope(request.state.org):
            return await call_next(request)
