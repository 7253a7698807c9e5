"""Each helper opens its own scope, in a module of its own, under another name."""

# --- shop/__init__.py
# --- shop/tenancy.py
import contextlib

from interlock import tenancy as _t

system = _t.pre_org_resolution_scope


@contextlib.asynccontextmanager
async def system_connection(pools, reason):
    async with system(reason), pools.acquire() as connection:
        yield connection


class Scopes:
    @staticmethod
    def boot(step: str):
        return _t.pre_org_resolution_scope(f"boot: {step}")


# --- shop/main.py
from fastapi import FastAPI

from .tenancy import Scopes, system_connection


async def start():
    async with system_connection(app.state.pools, "start") as connection:
        await connection.fetch("SELECT 1")
    with Scopes.boot("flags"):
        await app.state.pools.fetch("SELECT 1")


app = FastAPI(on_startup=[start])
