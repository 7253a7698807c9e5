"""None used."""


async def read(connection, org_id=None):
    return await connection.fetch("SELECT 1 WHERE org_id = $1", org_id)
