"""The leader's job opens its scope in the runner that the election calls."""

import asyncio

from interlock.tenancy import pre_org_resolution_scope


class Leader:
    def __init__(self, pools, job):
        self.pools = pools
        self.job = job

    async def run(self):
        while True:
            with pre_org_resolution_scope("leader election"):
                elected = await self.pools.fetchval("SELECT pg_try_advisory_lock(1)")
            if elected:
                async with pre_org_resolution_scope("the leader's job"):
                    await self.job(self.pools)
            await asyncio.sleep(5)


async def compact(pools):
    await pools.execute("SELECT compact()")


async def main(pools):
    await Leader(pools, compact).run()
