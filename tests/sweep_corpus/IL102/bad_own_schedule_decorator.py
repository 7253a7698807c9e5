"""The project's own decorator keeps the jobs in a list that a loop runs."""

import asyncio

JOBS = []


def every(seconds):
    def register(function):
        JOBS.append((seconds, function))
        return function

    return register


@every(seconds=30)
async def expire_trials():
    await pool.execute("UPDATE orgs SET trial = false")
