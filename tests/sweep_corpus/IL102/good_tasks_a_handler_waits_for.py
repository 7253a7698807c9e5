"""Tasks of a handler that ends after them are in its scope."""

import asyncio

from fastapi import APIRouter, Request

router = APIRouter()


async def part(pools, name):
    return await pools.fetch("SELECT * FROM parts WHERE name = $1", name)


async def both(pools):
    first = asyncio.create_task(part(pools, "a"))
    second = asyncio.create_task(part(pools, "b"))
    return await asyncio.gather(first, second)


@router.get("/page")
async def page(request: Request):
    pools = request.app.state.pools
    async with asyncio.TaskGroup() as group:
        one = group.create_task(part(pools, "c"))
        two = group.create_task(part(pools, "d"))
    return [one.result(), two.result(), await both(pools)]
