"""Lifespan by partial."""

import functools

from fastapi import FastAPI


async def lifespan(app, extra):
    await app.state.pools.execute("SELECT 1")
    yield


app = FastAPI(lifespan=functools.partial(lifespan, extra=1))
