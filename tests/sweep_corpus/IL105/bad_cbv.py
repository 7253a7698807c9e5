"""Handlers as methods of a class with its own router."""

from fastapi import APIRouter
from interlock.tenancy import pre_org_resolution_scope


class Admin:
    router = APIRouter()

    def __init__(self, pools):
        self.pools = pools
        self.router.add_api_route("/all", self.all, methods=["GET"])

    async def all(self):
        with pre_org_resolution_scope("all"):
            return await self.pools.fetch("SELECT * FROM notes")
