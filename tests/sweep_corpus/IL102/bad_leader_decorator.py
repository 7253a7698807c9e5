"""A decorator that runs the function on the leader only."""

from leases import leader_only


@leader_only("billing")
async def bill(pool):
    async with pool.acquire() as connection:
        await connection.execute("SELECT bill()")
