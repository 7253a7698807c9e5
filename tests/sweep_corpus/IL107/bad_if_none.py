"""Assigned where it is missing."""


async def create(pool, title, workspace_id=None):
    if workspace_id is None:
        workspace_id = 1
    await pool.execute("INSERT INTO notes VALUES ($1, $2)", workspace_id, title)
