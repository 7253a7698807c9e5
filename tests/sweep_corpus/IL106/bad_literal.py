"""Literal."""

import asyncpg
from fastapi import FastAPI

app = FastAPI()


async def boot():
    return await asyncpg.connect("postgresql://app:s3cret@db/shop")
