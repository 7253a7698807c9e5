"""A callback of the admin pool, nested in its options."""

from interlock.tenancy import acquire_connection, create_tenant_pools


async def register(connection):
    async with acquire_connection() as other:
        await other.execute("SELECT 1")


async def boot(settings):
    return await create_tenant_pools(settings.tenant_dsn, settings.admin_dsn, admin_options={"init": register})
