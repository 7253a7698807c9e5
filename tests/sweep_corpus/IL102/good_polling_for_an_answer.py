"""A loop that ends with its answer belongs to the request that waits."""

import asyncio

from fastapi import APIRouter, Request

router = APIRouter()


async def wait_until_done(pools, job):
    while True:
        if await pools.fetchval("SELECT done FROM jobs WHERE id = $1", job):
            return
        await asyncio.sleep(0.1)


@router.get("/jobs/{job}")
async def job(request: Request, job: int):
    await wait_until_done(request.app.state.pools, job)
