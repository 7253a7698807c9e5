"""A context manager of one's own that gives out a connection without a transaction."""

from contextlib import asynccontextmanager


class Database:
    def __init__(self, pool):
        self.pool = pool

    @asynccontextmanager
    async def connection(self):
        async with self.pool.acquire() as connection:
            yield connection


async def notes(database: Database):
    async with database.connection() as connection:
        await connection.execute("SET LOCAL statement_timeout = '1s'")
        return await connection.fetch("SELECT * FROM notes")
