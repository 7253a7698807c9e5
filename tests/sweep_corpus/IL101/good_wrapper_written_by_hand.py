"""Wrapper written by hand."""

import asyncio
import contextlib
import functools

from fastapi import FastAPI
from interlock.tenancy import pre_org_resolution_scope


@contextlib.contextmanager
def system():
    with pre_org_resolution_scope("system"):
        yield


def scoped_job(function):
    @functools.wraps(function)
    async def run(*args):
        async with pre_org_resolution_scope("job"):
            return await function(*args)

    return run


@scoped_job
async def job(pool):
    await pool.fetch("SELECT 1")


async def lifespan(app):
    with system():
        await app.state.pool.fetch("SELECT 1")
    asyncio.create_task(job(app.state.pool))
    yield


app = FastAPI(lifespan=lifespan)
