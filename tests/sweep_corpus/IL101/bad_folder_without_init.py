"""A namespace package: no `__init__.py` anywhere."""

# --- app/main.py
from app.db import Database
from fastapi import FastAPI

database = Database()
app = FastAPI()
app.add_event_handler("startup", database.connect)
# --- app/db.py
import asyncpg


class Database:
    def __init__(self):
        self.conn = None

    async def connect(self):
        self.conn = await asyncpg.create_pool(DSN)
        await self.check()

    async def check(self):
        async with self.conn.acquire() as connection:
            await connection.execute("SELECT 1")
