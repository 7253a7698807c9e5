"""The loop is entered inside the scope, and only there."""

import asyncio

from interlock.tenancy import pre_org_resolution_scope


async def watch(pool):
    while True:
        await pool.fetch("SELECT * FROM outbox")
        await asyncio.sleep(1)


async def main(pool):
    with pre_org_resolution_scope("outbox"):
        await watch(pool)


def start(pool):
    asyncio.create_task(main(pool))
