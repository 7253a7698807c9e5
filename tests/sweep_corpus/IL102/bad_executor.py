"""An executor's thread gets no copy of the context."""

import asyncio


def export(pool, loop):
    future = asyncio.run_coroutine_threadsafe(pool.fetch("SELECT 1"), loop)
    return future.result()


async def run(loop, pool):
    await loop.run_in_executor(None, export, pool, loop)
