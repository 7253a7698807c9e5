"""Outside a transaction."""

from fastapi import FastAPI

app = FastAPI()


async def read(pool, org):
    async with pool.acquire() as connection:
        await connection.execute("SELECT set_config('app.org', $1, true)", org)
        return await connection.fetch("SELECT 1")
