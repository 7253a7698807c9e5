"""The helper sets the org on a connection that its caller acquired without a transaction."""


async def set_org(connection, org):
    await connection.execute("SELECT set_config('app.current_org_id', $1, true)", org)


async def notes(pool, org):
    async with pool.acquire() as connection:
        await set_org(connection, org)
        return await connection.fetch("SELECT * FROM notes")
