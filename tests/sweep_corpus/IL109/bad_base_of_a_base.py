"""Two levels of inheritance over two modules, and a helper."""

# --- app/__init__.py
# --- app/base.py
from fastapi.middleware.base import BaseHTTPMiddleware as _Base


class AppMiddleware(_Base):
    pass


# --- app/scope.py
from interlock.tenancy import tenant_scope

from .base import AppMiddleware


class ScopeMiddleware(AppMiddleware):
    async def dispatch(self, request, call_next):
        return await self.in_scope(request, call_next)

    async def in_scope(self, request, forward):
        with tenant_scope(request.state.org):
            return await forward(request)
