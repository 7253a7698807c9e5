"""An absent tenant is refused."""


async def read(connection, org_id=None):
    if org_id is None:
        raise ValueError
    return await connection.fetch("SELECT 1", org_id)
