"""F-string through a constant."""

import asyncpg

PASSWORD = "s3cret"


async def boot(host):
    return await asyncpg.create_pool(dsn=f"postgres://admin:{PASSWORD}@{host}/shop")
