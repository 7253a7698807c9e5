"""A Celery task drives the loop itself."""

import asyncio

from celery import shared_task


async def rebuild():
    async with get_pool().acquire() as connection:
        await connection.execute("REFRESH MATERIALIZED VIEW totals")


@shared_task(bind=True)
def rebuild_totals(self):
    asyncio.get_event_loop().run_until_complete(rebuild())
