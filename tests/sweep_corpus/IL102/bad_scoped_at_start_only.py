"""The scope is open while the job is registered, not when it runs."""

from interlock.tenancy import pre_org_resolution_scope


async def purge(pool):
    await pool.execute("DELETE FROM jobs")


def start(scheduler, pool):
    with pre_org_resolution_scope("jobs"):
        scheduler.add_job(purge, "interval", minutes=5, args=[pool])
