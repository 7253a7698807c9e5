"""Local setting inside a transaction."""


async def read(pool):
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 5")
