"""Starlette routes in a list."""

from asyncpg import create_pool
from starlette.routing import Route


async def notes(request):
    pool = await create_pool(request.app.settings.dsn)
    return await pool.fetch("SELECT 1")


routes = [Route("/notes", notes)]
