"""None reaches the scope itself."""

from interlock.tenancy import tenant_scope


async def export(pools, workspace_id: str | None = None):
    async with tenant_scope(workspace_id):
        return await pools.fetch("SELECT * FROM notes")
