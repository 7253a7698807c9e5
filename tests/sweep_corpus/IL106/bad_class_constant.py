"""A default of the parameter that is connected with."""

import asyncpg


class Database:
    dsn = "postgresql://admin:admin@db/app"

    async def open(self):
        self.pool = await asyncpg.create_pool(self.dsn, min_size=1)
