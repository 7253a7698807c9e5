"""Open streams: server-sent events and a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

from leaky_app.desk import Org, TheDesk

router = APIRouter(tags=["live"])


@router.get("/events")
async def events(desk: TheDesk, org: Org) -> StreamingResponse:
    queue: asyncio.Queue[str] = asyncio.Queue()

    async def frames() -> AsyncIterator[str]:
        desk.listeners[queue] = org
        try:
            yield "event: hello\ndata: {}\n\n"
            while True:
                yield f"data: {await queue.get()}\n\n"
        finally:
            desk.listeners.pop(queue, None)

    return StreamingResponse(frames(), media_type="text/event-stream")


@router.websocket("/live")
async def live(socket: WebSocket, desk: TheDesk, org: Org) -> None:
    await socket.accept()
    queue: asyncio.Queue[str] = asyncio.Queue()
    desk.listeners[queue] = org
    sending = asyncio.create_task(_forward(socket, queue))
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        pass
    finally:
        desk.listeners.pop(queue, None)
        sending.cancel()


async def _forward(socket: WebSocket, queue: asyncio.Queue[str]) -> None:
    await socket.send_text("hello")
    while True:
        await socket.send_text(await queue.get())
