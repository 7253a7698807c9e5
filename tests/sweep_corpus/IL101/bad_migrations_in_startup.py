"""Conditional import, `try`, and a pool made and used in one go."""

from fastapi import FastAPI

try:
    from asyncpg import create_pool
except ImportError:
    create_pool = None


async def migrate():
    database = await create_pool(dsn=DSN)
    try:
        await database.execute("CREATE TABLE IF NOT EXISTS notes (id int)")
    finally:
        await database.close()


app = FastAPI(on_startup=[migrate])
