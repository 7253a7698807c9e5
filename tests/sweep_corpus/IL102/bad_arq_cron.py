"""arq's cron takes the function."""

from arq import cron


async def nightly(ctx):
    await ctx["pool"].execute("DELETE FROM sessions")


class WorkerSettings:
    cron_jobs = [cron(nightly, hour=3, minute=0)]
