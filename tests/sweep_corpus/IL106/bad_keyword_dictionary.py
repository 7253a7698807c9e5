"""Connection keywords made before the call."""

import asyncpg

OPTIONS = {"host": "db", "user": "app", "password": "s3cret", "database": "app"}


async def boot():
    return await asyncpg.create_pool(**OPTIONS)
