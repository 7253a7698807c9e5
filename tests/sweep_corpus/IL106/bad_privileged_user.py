"""The owner's role, by keyword."""

import os

import asyncpg


async def migrate():
    return await asyncpg.connect(host="db", user="app_owner", password=os.environ["PGPASSWORD"])
