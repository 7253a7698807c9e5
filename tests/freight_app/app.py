"""Assembles the freight service. ``create_app()`` is clean; a plant id makes it leak in one place."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import contextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from starlette.routing import Route

from freight_app import loads, office, trucks
from freight_app.store import Caller, Firm, Own, Row, Store, TheStore

live = APIRouter(prefix="/{firm}")


@contextmanager
def listening(store: Store, firm: str, kind: str):  # type: ignore[no-untyped-def]
    queue: asyncio.Queue[Row] = asyncio.Queue()
    store.listeners[queue] = (firm, kind)
    try:
        yield queue
    finally:
        del store.listeners[queue]


@live.get("/feed")
async def feed(store: TheStore, firm: Own) -> StreamingResponse:
    async def frames() -> AsyncIterator[str]:
        with listening(store, firm, "feed") as queue:
            yield ": hello\n\n"
            while True:
                yield f"event: moved\ndata: {json.dumps(await queue.get())}\n\n"

    return StreamingResponse(frames(), media_type="text/event-stream")


@live.get("/next-event")
async def next_event(store: TheStore, firm: Own) -> Row:
    """A long poll: answers when something happens."""
    with listening(store, firm, "poll") as queue:
        try:
            return await asyncio.wait_for(queue.get(), 20)
        except TimeoutError:
            return {"what": "nothing"}


sockets = APIRouter()


@sockets.websocket("/ws")
async def socket(socket: WebSocket, store: TheStore, firm: Caller, token: str) -> None:
    """Sends the firm's events; ``{"watch": load_id}`` asks for the state of a load."""
    await socket.accept()
    with listening(store, firm, "socket") as queue:
        sending = asyncio.create_task(_forward(socket, queue))
        try:
            while True:
                asked: Any = await socket.receive_json()
                owner = None if store.has("socket-watches-any") else firm
                load = store.find("loads", owner, load_id=asked.get("watch"))
                await socket.send_json({"cargo": load["cargo"]} if load else {"error": "unknown"})
        except (WebSocketDisconnect, ValueError):
            pass
        finally:
            sending.cancel()


async def _forward(socket: WebSocket, queue: asyncio.Queue[Row]) -> None:
    while True:
        await socket.send_json(await queue.get())


def create_app(plant: str | None = None) -> FastAPI:
    """The service with an empty memory of its own."""
    store = Store(plant)
    app = FastAPI(title="freight")
    app.state.store = store
    v2 = APIRouter(prefix="/v2")
    for router in (trucks.router, trucks.drivers, loads.router, loads.invoices, office.router, live):
        v2.include_router(router)
    app.include_router(v2)
    app.include_router(office.accounts)
    app.include_router(sockets)
    app.router.routes.append(Route("/notes", office.Notes))
    app.mount("/old", office.old_interface(store))
    return app


def create_org(app: FastAPI) -> Firm:
    return app.state.store.sign_up()  # type: ignore[no-any-return]


def headers_for(firm: Firm) -> dict[str, str]:
    return {"Authorization": f"Token {firm.token}"}
