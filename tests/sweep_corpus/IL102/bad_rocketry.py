"""Rocketry, as a decorator with a condition."""

from rocketry import Rocketry
from rocketry.conds import every

app = Rocketry(execution="async")


@app.task(every("10 seconds"))
async def tick():
    await pool.execute("SELECT 1")
