"""A getter of the admin pool."""

from app.db import get_admin_pool
from fastapi import APIRouter

router = APIRouter()


@router.get("/notes")
async def notes():
    return await get_admin_pool().fetch("SELECT * FROM notes")
