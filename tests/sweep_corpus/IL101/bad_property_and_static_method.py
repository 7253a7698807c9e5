"""A property gives the pool, a static method uses what it is given."""

import asyncpg
from fastapi import FastAPI


class Store:
    _database: asyncpg.Pool

    @property
    def database(self) -> asyncpg.Pool:
        return self._database

    @classmethod
    async def boot(cls):
        await cls.prime(cls())

    @staticmethod
    async def prime(store: "Store"):
        await store.database.execute("SELECT 1")


app = FastAPI()
app.add_event_handler("startup", Store.boot)
