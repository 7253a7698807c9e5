"""The third argument of set_config is a parameter, and true."""


async def notes(pool, org):
    connection = await pool.acquire()
    try:
        await connection.execute("SELECT set_config($1, $2, $3)", "app.current_org_id", str(org), True)
        return await connection.fetch("SELECT * FROM notes")
    finally:
        await pool.release(connection)
