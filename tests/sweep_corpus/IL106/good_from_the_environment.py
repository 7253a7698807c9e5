"""Addresses from the environment and from settings; a DSN without any secret."""

import os

import asyncpg
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    dsn: str = ""
    user: str = ""
    password: str = ""
    host: str = ""


settings = Settings()
DSN = os.environ["DATABASE_URL"]


async def boot():
    await asyncpg.create_pool(DSN)
    await asyncpg.create_pool(settings.dsn)
    await asyncpg.create_pool(os.getenv("DATABASE_URL"))
    await asyncpg.connect("postgresql:///app")
    await asyncpg.connect("postgresql://app@localhost/app")
    await asyncpg.connect(user=settings.user, password=settings.password, host="db")
    await asyncpg.create_pool(f"postgresql://{settings.user}:{settings.password}@{settings.host}/app")
