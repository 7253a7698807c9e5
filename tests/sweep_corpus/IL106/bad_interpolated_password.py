"""The role stands in the code, its password comes from the environment: still round the boundary."""

import os

import asyncpg as pg


async def boot():
    return await pg.connect(f"postgresql://app_owner:{os.environ['OWNER_PASSWORD']}@db/app")
