"""taskiq: the broker's decorator."""

from taskiq_redis import ListQueueBroker

broker = ListQueueBroker("redis://queue")


@broker.task(schedule=[{"cron": "*/5 * * * *"}])
async def expire(pool=None):
    async with get_db_pool().acquire() as connection:
        await connection.execute("DELETE FROM leases")
