"""The function that acquires comes in by a star import."""

# --- app/__init__.py
# --- app/main.py
from app.queries import *
from fastapi import FastAPI

app = FastAPI()


@app.on_event("startup")
async def start():
    await load_flags(app.state.pool)


# --- app/queries.py
async def load_flags(pool):
    return await pool.fetch("SELECT name FROM flags")
