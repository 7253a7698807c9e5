"""The scope is put round the function where it is handed over."""

import asyncio

from interlock.tenancy import pre_org_resolution_scope, tenant_scope, with_tenant


async def tick(pool):
    await pool.execute("SELECT 1")


def start(scheduler, pool, org):
    asyncio.create_task(pre_org_resolution_scope("tick")(tick)(pool))
    scheduler.add_job(tenant_scope(org)(tick), args=[pool])
    scheduler.add_job(lambda: with_tenant(org, lambda: tick(pool)))
