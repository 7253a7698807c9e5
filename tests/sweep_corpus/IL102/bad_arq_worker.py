"""arq: functions, cron jobs and start-up of a worker, with the pool in its context."""

import asyncpg
from arq import cron


async def startup(ctx):
    ctx["db"] = await asyncpg.create_pool(DSN)


async def send_mail(ctx, user):
    async with ctx["db"].acquire() as connection:
        return await connection.fetchrow("SELECT * FROM users WHERE id = $1", user)


class WorkerSettings:
    functions = [send_mail]
    on_startup = startup
