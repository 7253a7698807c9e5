"""The pool's coroutine itself is the task."""

import asyncio


def fire_and_forget(pool, event):
    asyncio.get_running_loop().create_task(pool.execute("INSERT INTO events VALUES ($1)", event))
