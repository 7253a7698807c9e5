"""The pool is a module global called `db`, set in start-up and read through it."""

import asyncpg
from fastapi import FastAPI

db = None


async def connect():
    global db
    db = await asyncpg.create_pool(dsn=DSN)
    await load_plans()


async def load_plans():
    return await db.fetch("SELECT * FROM plans")


app = FastAPI(on_startup=[connect])
