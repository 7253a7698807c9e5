"""A thread has no context at all."""

import asyncio
import threading


def pump(pool):
    asyncio.run(drain(pool))


async def drain(pool):
    await pool.execute("SELECT drain()")


class Pump:
    def start(self, pool):
        threading.Thread(target=pump, args=(pool,), daemon=True).start()
