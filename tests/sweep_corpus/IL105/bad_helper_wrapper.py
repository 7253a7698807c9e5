"""The handler uses the project's own name for it."""

import contextlib

from fastapi import APIRouter
from interlock.tenancy import pre_org_resolution_scope

router = APIRouter()


@contextlib.asynccontextmanager
async def as_system(reason):
    async with pre_org_resolution_scope(reason):
        yield


@router.websocket("/ws")
async def live(socket):
    async with as_system("live"):
        await socket.accept()
