"""Each tick opens the scope, whatever way the daemon is started."""

import asyncio
from contextlib import asynccontextmanager

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from fastapi import FastAPI
from interlock.tenancy import pre_org_resolution_scope, tenant_scope

scheduler = AsyncIOScheduler()


@scheduler.scheduled_job("interval", minutes=5)
@pre_org_resolution_scope("purge")
async def purge():
    await pool.execute("DELETE FROM jobs")


async def for_each_org(pools, job):
    with pre_org_resolution_scope("list the orgs"):
        orgs = await pools.fetch("SELECT id FROM orgs")
    for org in orgs:
        async with tenant_scope(org["id"]):
            await job(pools)


async def bill(pools):
    await pools.execute("SELECT bill()")


async def biller(pools):
    while True:
        await for_each_org(pools, bill)
        await asyncio.sleep(60)


@asynccontextmanager
async def lifespan(app):
    async with asyncio.TaskGroup() as group:
        group.create_task(biller(app.state.pools))
        yield


app = FastAPI(lifespan=lifespan)
