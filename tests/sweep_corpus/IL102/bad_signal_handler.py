"""A signal handler."""

import asyncio
import signal


async def dump(pool):
    await pool.fetch("SELECT * FROM pg_stat_activity")


def install(loop, pool):
    loop.add_signal_handler(signal.SIGUSR1, lambda: loop.create_task(dump(pool)))
