"""Starlette's endpoint class."""

from interlock.tenancy import pre_org_resolution_scope
from starlette.endpoints import HTTPEndpoint
from starlette.routing import Route


class Users(HTTPEndpoint):
    async def get(self, request):
        with pre_org_resolution_scope("users"):
            return await request.app.state.pools.fetch("SELECT * FROM users")


routes = [Route("/users", Users)]
