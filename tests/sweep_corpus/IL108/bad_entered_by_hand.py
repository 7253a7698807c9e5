"""`__enter__` by hand, then a yield."""

from interlock.tenancy import tenant_scope


async def pages(pools, org):
    scope = tenant_scope(org)
    scope.__enter__()
    try:
        for page in range(3):
            yield await pools.fetch("SELECT * FROM notes OFFSET $1", page)
    finally:
        scope.__exit__(None, None, None)
