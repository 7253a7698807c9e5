"""Daemons that touch no pool: a thread pool, a semaphore, a queue."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

thread_pool = ThreadPoolExecutor()
semaphore = asyncio.Semaphore(4)


class Fetcher:
    async def fetch(self, url):
        return url


async def crawl(queue: asyncio.Queue, fetcher: Fetcher):
    while True:
        url = await queue.get()
        await semaphore.acquire()
        await fetcher.fetch(url)
        thread_pool.submit(print, url)
        await asyncio.sleep(0)


def start(queue):
    asyncio.create_task(crawl(queue, Fetcher()))
