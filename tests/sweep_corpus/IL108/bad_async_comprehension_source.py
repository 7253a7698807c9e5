"""Two scopes, one in a nested block of a loop."""

from interlock.tenancy import tenant_scope


class Exporter:
    async def all(self, pools, orgs):
        for org in orgs:
            with tenant_scope(org):
                for row in await pools.fetch("SELECT * FROM notes"):
                    yield row
