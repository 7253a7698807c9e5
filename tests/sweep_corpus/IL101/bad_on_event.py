"""On_event."""

from fastapi import FastAPI

app = FastAPI()


@app.on_event("startup")
async def load():
    await app.state.pool.fetch("SELECT 1")
