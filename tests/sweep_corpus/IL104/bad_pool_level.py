"""Sent through the pool, the setting goes to a connection of its own."""


async def notes(pool, org):
    await pool.execute("SET LOCAL app.current_org_id = '1'")
    return await pool.fetch("SELECT * FROM notes")
