"""fastapi-utils repeats a start-up function: it is both start-up and a daemon."""

from fastapi_utils.tasks import repeat_every


@repeat_every(seconds=60, wait_first=True)
async def refresh() -> None:
    await pool.execute("SELECT refresh()")
