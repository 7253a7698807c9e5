"""Own decorators: a function, with parameters, a class, stacked, and one that decorates a whole class."""

import functools
import inspect

from fastapi import FastAPI
from interlock.tenancy import pre_org_resolution_scope

app = FastAPI()


def system(reason):
    def decorate(function):
        @functools.wraps(function)
        async def inside(*args, **kwargs):
            with pre_org_resolution_scope(reason):
                return await function(*args, **kwargs)

        return inside

    return decorate


class AsSystem:
    def __init__(self, reason):
        self.reason = reason

    def __call__(self, function):
        @functools.wraps(function)
        async def inside(*args):
            async with pre_org_resolution_scope(self.reason):
                return await function(*args)

        return inside


def all_in_system(cls):
    for name, method in inspect.getmembers(cls, inspect.iscoroutinefunction):
        setattr(cls, name, pre_org_resolution_scope(name)(method))
    return cls


def timed(function):
    @functools.wraps(function)
    async def inside(*args):
        return await function(*args)

    return inside


@app.on_event("startup")
@timed
@system("plans")
async def plans():
    await app.state.pools.fetch("SELECT 1")


@app.on_event("startup")
@AsSystem("flags")
async def flags():
    await app.state.pools.fetch("SELECT 1")


@all_in_system
class Loader:
    async def load(self):
        await app.state.pools.fetch("SELECT 1")


app.add_event_handler("startup", Loader().load)
