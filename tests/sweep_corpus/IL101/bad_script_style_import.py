"""Two modules side by side, imported as scripts import."""

# --- backend/main.py
import db
from fastapi import FastAPI


async def startup():
    await db.warm()


app = FastAPI(on_startup=[startup])
# --- backend/db.py
pool = None


async def warm():
    return await pool.fetch("SELECT 1")
