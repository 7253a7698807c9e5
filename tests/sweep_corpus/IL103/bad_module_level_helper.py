"""The module runs a query while it is imported, through a helper."""

import asyncio


async def read_countries():
    async with pool.acquire() as connection:
        return await connection.fetch("SELECT * FROM countries")


COUNTRIES = asyncio.get_event_loop().run_until_complete(read_countries())
