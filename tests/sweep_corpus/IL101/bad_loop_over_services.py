"""Services in a list, each started in turn."""

from fastapi import FastAPI


class Plans:
    def __init__(self, pool):
        self.pool = pool

    async def start(self):
        await self.pool.fetch("SELECT * FROM plans")


async def startup():
    services = [Plans(app.state.pool)]
    for service in services:
        await service.start()


app = FastAPI(on_startup=[startup])
