"""`fetch = pool.fetch`, then called."""

from fastapi import FastAPI

app = FastAPI()


@app.on_event("startup")
async def start():
    fetch = app.state.pool.fetch
    app.state.plans = await fetch("SELECT * FROM plans")
