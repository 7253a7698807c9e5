"""A scope that is over before `call_next` is none of the request's."""

from interlock.tenancy import pre_org_resolution_scope
from starlette.middleware.base import BaseHTTPMiddleware


class Maintenance(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        with pre_org_resolution_scope("maintenance flag"):
            request.state.flag = await request.app.state.pools.fetchval("SELECT flag FROM maintenance")
        return await call_next(request)
