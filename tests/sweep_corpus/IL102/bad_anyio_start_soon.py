"""`start_soon` takes the function and its arguments apart."""

import anyio


async def consume(pool):
    await pool.execute("SELECT 1")


async def serve(pool):
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(consume, pool)
