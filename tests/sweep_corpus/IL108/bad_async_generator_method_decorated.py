"""A scope wrapper of one's own, across a yield."""

import contextlib

from interlock.tenancy import tenant_scope


@contextlib.asynccontextmanager
async def org_connection(pools, org):
    async with tenant_scope(org), pools.acquire() as connection:
        yield connection


async def stream(pools, org):
    async with org_connection(pools, org) as connection:
        async with connection.transaction():
            async for row in connection.cursor("SELECT * FROM notes"):
                yield row
