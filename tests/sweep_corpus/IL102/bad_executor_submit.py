"""A thread of an executor that runs a loop of its own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

executor = ThreadPoolExecutor()


def work(pool):
    asyncio.new_event_loop().run_until_complete(pool.fetch("SELECT 1"))


def start(pool):
    executor.submit(work, pool)
