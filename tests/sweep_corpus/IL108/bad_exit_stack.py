"""The scope sits on a stack."""

from contextlib import AsyncExitStack

from interlock.tenancy import tenant_scope


async def pages(pools, org):
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(tenant_scope(org))
        yield await pools.fetch("SELECT 1")
