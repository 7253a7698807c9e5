"""The module that makes the pool has no routes."""

# --- app/__init__.py
# --- app/db.py
from asyncpg import create_pool

_pool = None


async def open_pool(dsn):
    global _pool
    _pool = await create_pool(dsn)


# --- app/main.py
from contextlib import asynccontextmanager

from app.db import open_pool
from app.routes import router
from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app):
    await open_pool(app.settings.dsn)
    yield


app = FastAPI(lifespan=lifespan)
app.include_router(router)
# --- app/routes.py
from fastapi import APIRouter

router = APIRouter()


@router.get("/")
async def index():
    return {}
