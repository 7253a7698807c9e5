"""An f-string, with a call in the middle argument."""


async def notes(pool, org):
    async with pool.acquire() as connection:
        await connection.execute(f"SET LOCAL app.current_org_id = '{org}'")
        async with connection.transaction():
            return await connection.fetch("SELECT * FROM notes")
