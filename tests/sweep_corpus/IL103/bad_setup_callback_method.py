"""A method as `setup`, in keyword arguments made before."""

import asyncpg


class Database:
    def __init__(self, audit_pool):
        self.audit_pool = audit_pool

    async def _setup(self, connection):
        await self.log("checked out")

    async def log(self, text):
        await self.audit_pool.execute("INSERT INTO audit VALUES ($1)", text)

    async def open(self):
        options = {"min_size": 1, "setup": self._setup}
        self.pool = await asyncpg.create_pool(DSN, **options)
