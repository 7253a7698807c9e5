"""`with_tenant` round `call_next`."""

from interlock.tenancy import with_tenant
from starlette.middleware import base


class Scope(base.BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        return await with_tenant(request.state.org, lambda: call_next(request))
