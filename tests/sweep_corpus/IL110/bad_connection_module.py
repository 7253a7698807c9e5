"""The library's own modules below `interlock.tenancy`."""

from fastapi import APIRouter
from interlock.tenancy import connection

router = APIRouter()


@router.post("/notes")
async def notes():
    return connection
