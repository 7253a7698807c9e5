"""The scope on a stack in `dispatch`."""

import contextlib

from interlock.tenancy import tenant_scope
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request


class TenantMiddleware(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint):
        async with contextlib.AsyncExitStack() as stack:
            if request.headers.get("x-org"):
                await stack.enter_async_context(tenant_scope(request.headers["x-org"]))
            return await call_next(request)
