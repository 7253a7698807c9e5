"""aiocron, as a decorator."""

import aiocron


@aiocron.crontab("*/5 * * * *")
async def attime():
    await pools.execute("SELECT 1")
