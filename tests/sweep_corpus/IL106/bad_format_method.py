"""`.format` and `%`."""

from asyncpg import connect

DSN = "postgres://postgres:{}@localhost:5432/app"


async def boot(password):
    return await connect(DSN.format(password))
