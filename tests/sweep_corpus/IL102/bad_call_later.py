"""A timer of the event loop that starts a task."""

import asyncio


async def refresh(pool):
    await pool.fetch("SELECT 1")


def arm(loop, pool):
    loop.call_later(60, lambda: asyncio.ensure_future(refresh(pool)))
