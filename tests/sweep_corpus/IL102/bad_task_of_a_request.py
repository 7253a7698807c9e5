"""A task that a handler does not wait for outlives the request's scope."""

import asyncio

from fastapi import APIRouter, Request

router = APIRouter()


@router.post("/orders")
async def order(request: Request):
    asyncio.create_task(notify(request.app.state.pools))
    return {}


async def notify(pools):
    await pools.execute("INSERT INTO notifications DEFAULT VALUES")
