"""Settings, not literals."""

from interlock.tenancy import create_tenant_pools


async def boot(settings):
    return await create_tenant_pools(settings.tenant_dsn, settings.admin_dsn)
