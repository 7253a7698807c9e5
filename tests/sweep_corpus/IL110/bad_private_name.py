"""A private pool of the database module."""

# --- app/__init__.py
# --- app/db.py
import asyncpg

_pg = None


async def open_pool(dsn):
    global _pg
    _pg = await asyncpg.create_pool(dsn)


# --- app/routes.py
from fastapi import APIRouter

from .db import _pg as database

router = APIRouter()


@router.get("/notes")
async def notes():
    return await database.fetch("SELECT * FROM notes")
