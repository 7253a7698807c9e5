"""A task that outlives its request carries the scope on."""

from fastapi import APIRouter, Request
from interlock.tenancy import spawn_scoped

router = APIRouter()


async def notify(pools):
    await pools.execute("INSERT INTO notifications DEFAULT VALUES")


@router.post("/orders")
async def order(request: Request):
    spawn_scoped(notify(request.app.state.pools))
    return {}
