"""Async generator."""

from interlock.tenancy import tenant_scope


async def rows(pools):
    with tenant_scope(1):
        async for row in pools.cursor():
            yield row
