"""Handler → dependency → dependency → service."""

# --- app/__init__.py
# --- app/deps.py
from typing import Annotated

from fastapi import Depends, Request

from .service import Service


def get_service(request: Request) -> Service:
    return Service(request.app.state.pools)


async def get_report(service: Annotated[Service, Depends(get_service)]):
    return await service.report()


Report = Annotated[list, Depends(get_report)]
# --- app/service.py
from interlock import tenancy


class Service:
    def __init__(self, pools):
        self.pools = pools

    async def report(self):
        async with tenancy.pre_org_resolution_scope(reason="report over all orgs"):
            return await self.pools.fetch("SELECT * FROM notes")


# --- app/routes.py
from fastapi import APIRouter

from .deps import Report

router = APIRouter()


@router.get("/report")
async def report(rows: Report):
    return rows
