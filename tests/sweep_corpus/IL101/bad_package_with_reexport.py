"""Start-up reaches the acquire through a re-export of `__init__`, a relative import and an alias."""

# --- shop/__init__.py
# --- shop/main.py
from contextlib import asynccontextmanager

from fastapi import FastAPI

from . import store as db
from .services import warm_up


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.pools = await db.open_pools()
    await warm_up(app)
    yield


app = FastAPI(lifespan=lifespan)
# --- shop/store.py
from interlock.tenancy import create_tenant_pools


async def open_pools():
    return await create_tenant_pools(settings.tenant_dsn, settings.admin_dsn)


# --- shop/services/__init__.py
from .warming import warm as warm_up


# --- shop/services/warming.py
async def warm(app):
    async with app.state.pools.acquire() as connection:
        await connection.fetch("SELECT 1")
