"""A handler may loop and sleep: it has its scope; so may a stream that it returns."""

import asyncio

from fastapi import APIRouter, Request, WebSocket
from fastapi.responses import StreamingResponse

router = APIRouter()


@router.websocket("/ws")
async def live(socket: WebSocket):
    await socket.accept()
    while True:
        await socket.send_json(await socket.app.state.pools.fetch("SELECT 1"))
        await asyncio.sleep(1)


@router.get("/events")
async def events(request: Request):
    async def stream():
        while True:
            yield await request.app.state.pools.fetchval("SELECT 1")
            await asyncio.sleep(1)

    return StreamingResponse(stream())
