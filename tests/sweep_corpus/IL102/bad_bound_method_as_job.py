"""The pool's own method is the job."""

import asyncio


def start(scheduler, pool):
    scheduler.add_job(pool.execute, args=["DELETE FROM jobs"])
