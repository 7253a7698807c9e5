"""The default of the parameter has a name."""

from app.config import settings


async def notes(pool, tenant_id=settings.default_tenant_id):
    return await pool.fetch("SELECT * FROM notes WHERE tenant_id = $1", tenant_id)
