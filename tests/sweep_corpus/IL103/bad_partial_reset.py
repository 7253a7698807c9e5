"""`reset=` with a partial."""

from functools import partial

from asyncpg import create_pool


async def record(pool, connection):
    await pool.execute("INSERT INTO resets DEFAULT VALUES")


async def boot(audit_pool):
    return await create_pool(DSN, reset=partial(record, audit_pool))
