"""A lifespan written as a class."""

from fastapi import FastAPI


class Lifespan:
    def __init__(self, app):
        self.app = app

    async def __aenter__(self):
        await self.app.state.pool.fetch("SELECT 1")

    async def __aexit__(self, *exc):
        pass


app = FastAPI(lifespan=Lifespan)
