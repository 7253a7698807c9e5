"""A dependency yields a bare connection."""

from fastapi import Depends, Request


async def connection_for(request: Request):
    async with request.app.state.pool.acquire() as connection:
        await connection.execute("select set_config('app.org', nullif($1, '')::text, TRUE)", request.state.org)
        yield connection
