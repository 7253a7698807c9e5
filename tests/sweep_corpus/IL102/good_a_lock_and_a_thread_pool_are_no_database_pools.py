"""A lock and a thread pool are no database pools."""

import asyncio

lock = asyncio.Lock()


class Thread_Pool:
    pass


async def loop(executor):
    pool = Thread_Pool()
    while True:
        await lock.acquire()
        pool.execute(1)
        await asyncio.sleep(1)
