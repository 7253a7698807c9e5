"""Start-up makes and closes the pools, and acquires nothing; redis and locks are no pools of ours."""

import asyncio
from contextlib import asynccontextmanager

import aiomysql
import redis.asyncio as redis
from fastapi import FastAPI
from interlock.tenancy import create_tenant_pools

lock = asyncio.Lock()


@asynccontextmanager
async def lifespan(app):
    cache = redis.from_url("redis://cache")
    await cache.execute_command("PING")
    mysql_pool: aiomysql.Pool = await aiomysql.create_pool()
    async with mysql_pool.acquire():
        pass
    await lock.acquire()
    async with create_tenant_pools(app.settings.tenant_dsn, app.settings.admin_dsn) as pools:
        app.state.pools = pools
        yield
    await pools.close()


app = FastAPI(lifespan=lifespan)
