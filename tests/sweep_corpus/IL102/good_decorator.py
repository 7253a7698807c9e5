"""Decorator."""

import asyncio

from interlock.tenancy import pre_org_resolution_scope


@pre_org_resolution_scope("tick")
async def tick(pool):
    await pool.fetch("SELECT 1")


async def start(pool):
    asyncio.create_task(tick(pool))
