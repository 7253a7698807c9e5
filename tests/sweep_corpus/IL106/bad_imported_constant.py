"""The DSN stands in another module."""

# --- app/__init__.py
# --- app/config.py
ADMIN_DSN = "postgresql://app_admin:hunter2@db.internal/app"


class Config:
    DSN = ADMIN_DSN


# --- app/main.py
import asyncpg

from .config import Config


async def boot():
    return await asyncpg.create_pool(dsn=Config.DSN)
