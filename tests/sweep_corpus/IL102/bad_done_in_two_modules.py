"""The job list lives in one module, the runner in another."""

# --- svc/__init__.py
# --- svc/runner.py
import asyncio

from . import jobs


async def run(pool):
    while not asyncio.current_task().cancelled():
        await jobs.tick(pool)
        await asyncio.sleep(jobs.PERIOD)


# --- svc/jobs/__init__.py
from .tick import PERIOD, tick as tick

# --- svc/jobs/tick.py
PERIOD = 5


async def tick(pool):
    rows = await pool.fetch("SELECT * FROM jobs")
    return len(rows)
