"""A container built at start-up, whose property gives the repository."""

from fastapi import FastAPI


class Notes:
    def __init__(self, pool):
        self.pool = pool

    async def count(self):
        return await self.pool.fetchval("SELECT count(*) FROM notes")


class Container:
    def __init__(self, pool):
        self._pool = pool
        self._notes = None

    @property
    def notes(self):
        if self._notes is None:
            self._notes = Notes(self._pool)
        return self._notes


app = FastAPI()


@app.on_event("startup")
async def start():
    container = Container(app.state.pool)
    app.state.count = await container.notes.count()
