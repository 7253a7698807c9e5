"""Scheduler decorator."""

scheduler = make()


@scheduler.scheduled_job("interval", minutes=5)
async def report():
    async with get_pool().acquire() as connection:
        pass
