"""Tasks kept in a set, so that they live; nobody waits for them."""

import asyncio

background: set[asyncio.Task] = set()


async def record(pool, event):
    await pool.execute("INSERT INTO events VALUES ($1)", event)


def emit(pool, event):
    task = asyncio.create_task(record(pool, event))
    background.add(task)
    task.add_done_callback(background.discard)
