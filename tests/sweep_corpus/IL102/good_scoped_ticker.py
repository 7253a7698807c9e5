"""A ticker of one's own that opens the scope round each call."""

import asyncio

from interlock.tenancy import pre_org_resolution_scope


class Ticker:
    def __init__(self, name, seconds, function):
        self.name, self.seconds, self.function = name, seconds, function

    async def run(self):
        while True:
            with pre_org_resolution_scope(self.name):
                await self.function()
            await asyncio.sleep(self.seconds)


async def expire():
    await pool.execute("DELETE FROM leases")


def start():
    return asyncio.create_task(Ticker("expire", 5, expire).run())
