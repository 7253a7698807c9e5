"""Not imported by name, but taken from the module."""

# --- app/__init__.py
# --- app/database.py
admin_pool = None
# --- app/api/__init__.py
# --- app/api/notes.py
from app import database
from fastapi import APIRouter

router = APIRouter()


@router.get("/notes")
async def notes():
    async with database.admin_pool.acquire() as connection:
        return await connection.fetch("SELECT * FROM notes")
