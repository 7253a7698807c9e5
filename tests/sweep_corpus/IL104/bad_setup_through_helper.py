"""The pool's `setup` calls the function that sets it."""

import asyncpg

SQL = "SET LOCAL app.current_org_id = "


async def setup(connection):
    await bind(connection)


async def bind(connection):
    await connection.execute(SQL + "'1'")


async def boot(settings):
    return await asyncpg.create_pool(settings.dsn, setup=setup)
