"""APScheduler takes the function as text, too."""

# --- app/__init__.py
# --- app/jobs.py
from app.db import get_pool


async def purge():
    async with get_pool().acquire() as connection:
        await connection.execute("DELETE FROM jobs")


# --- app/db.py
def get_pool(): ...


# --- app/main.py
from apscheduler.schedulers.asyncio import AsyncIOScheduler

scheduler = AsyncIOScheduler()
scheduler.add_job("app.jobs:purge", "interval", minutes=5)
