"""Calls an ASGI application directly: no socket, no thread, a fresh context and task per request."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from types import TracebackType
from typing import Any, Self

from interlock.errors import HarnessError
from interlock.testing.exchange import NO_RESPONSE, Request, Response

Message = MutableMapping[str, Any]
AsgiApp = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

STARTUP_SECONDS = 30.0
REQUEST_SECONDS, LONG_POLL_SECONDS = 8.0, 3.0
IDLE_SECONDS = 0.15
LEAVE_SECONDS = 1.0
MAX_STREAM_BYTES = 8 * 1024 * 1024

_records: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("interlock_test_log_records", default=None)


class _RecordKeeper(logging.Handler):
    """Keeps what is logged while a request runs, with the request that logged it."""

    def emit(self, record: logging.LogRecord) -> None:
        kept = _records.get()
        if kept is not None and len(kept) < 200:
            kept.append(self.format(record))


class Call:
    """One running request. :meth:`result` waits for the response, leaving a stream that has gone quiet."""

    def __init__(self, app: AsgiApp, scope: Message, request: Request, patience: float = REQUEST_SECONDS) -> None:
        self._app = app
        self._patience = patience
        self._scope = scope
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._status = 0
        self._headers: tuple[tuple[str, str], ...] = ()
        self._chunks: list[bytes] = []
        self._size = 0
        self._error = ""
        self._finished = False
        self._logs: list[str] = []
        self._websocket = request.websocket
        for message in _incoming(request):
            self._inbox.put_nowait(message)
        context = contextvars.Context()
        context.run(_records.set, self._logs)
        self._task = asyncio.get_running_loop().create_task(self._run(), context=context)

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._inbox.get, self._send)
        except Exception as error:  # noqa: BLE001 - a server answers 500 whatever the application raises
            self._error = type(error).__name__
            self._status = self._status or 500

    async def _send(self, message: Message) -> None:
        match message["type"]:
            case "http.response.start":
                self._status = message["status"]
                self._headers = _headers(message)
            case "http.response.body" | "http.response.trailers":
                self._keep(message.get("body", b""))
                self._finished = not message.get("more_body", False)
                if message["type"].endswith("trailers"):
                    self._headers += _headers(message)
            case "websocket.accept":
                self._status = 101
                self._headers = _headers(message)
            case "websocket.send":
                text = message.get("text")
                self._keep((text.encode() if text is not None else message.get("bytes") or b"") + b"\n")
            case "websocket.close":
                self._status = self._status or 403
                self._keep(str(message.get("reason") or "").encode())

    def _keep(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size <= MAX_STREAM_BYTES:
            self._chunks.append(chunk)

    async def quiet(self, most: float | None = None, least: float = 0.0) -> bool:
        """Wait until the application has ended or, after ``least`` seconds, stopped sending; whether it has ended."""
        waited, seen = 0.0, -1
        most = self._patience if most is None else most
        while not self._task.done() and waited < most:
            await asyncio.wait({self._task}, timeout=IDLE_SECONDS)
            idle = self._status and self._size == seen and not self._finished  # finished: background tasks run on
            if (idle and waited >= least) or self._size > MAX_STREAM_BYTES:
                break
            seen = self._size if self._status else -1
            waited += IDLE_SECONDS
        return self._task.done()

    async def result(self, listen: float | None = None) -> Response:
        """The response; a stream that has gone quiet, for ``listen`` seconds if given, is left as by closing a tab."""
        ended = await (self.quiet() if listen is None else self.quiet(2 * listen, listen))
        if not ended:
            self._inbox.put_nowait(
                {"type": "websocket.disconnect" if self._websocket else "http.disconnect", "code": 1001}
            )
            await asyncio.wait({self._task}, timeout=LEAVE_SECONDS)
            if not self._task.done():
                self._task.cancel()
                await asyncio.wait({self._task}, timeout=LEAVE_SECONDS)
        timed_out = not ended and not self._status
        return Response(
            status=self._status or (504 if timed_out else 500),
            headers=self._headers,
            body=b"".join(self._chunks),
            complete=ended,
            error=self._error or (NO_RESPONSE if timed_out else ""),
            logs=tuple(self._logs),
        )


def _incoming(request: Request) -> list[Message]:
    if request.websocket:
        return [
            {"type": "websocket.connect"},
            *({"type": "websocket.receive", "text": text} for text in request.messages),
        ]
    return [{"type": "http.request", "body": request.body, "more_body": False}]


def _headers(message: Message) -> tuple[tuple[str, str], ...]:
    return tuple(
        (key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in message.get("headers") or ()
    )


class AsgiClient:
    """Drives an ASGI application through its whole life, lifespan included (ASGI specification 3.0).

    ``async with AsgiClient(app) as client: await client.send(Request("GET", "/"))``. An application that does not
    know the lifespan protocol is driven without it, as servers do. ``patience`` is how many seconds a read may take to
    begin its answer.

    Raises:
        HarnessError: the application's start-up failed.

    """

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self.patience = REQUEST_SECONDS
        self._state: dict[str, Any] = {}
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._lifespan: asyncio.Task[None] | None = None
        self._answered: asyncio.Event = asyncio.Event()
        self._failure: str | None = None
        self._supported = True
        self._keeper = _RecordKeeper()
        self._level = logging.WARNING

    async def __aenter__(self) -> Self:
        self._lifespan = asyncio.get_running_loop().create_task(self._live(), context=contextvars.Context())
        await self._ask("lifespan.startup")
        if self._failure is not None:
            raise HarnessError(
                f"the application did not start: {self._failure}: start it by hand and repair that first"
            )
        root = logging.getLogger()
        self._level = root.level
        root.setLevel(min(root.level, logging.INFO))  # what production logs is usually more than a test shows
        root.addHandler(self._keeper)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        root = logging.getLogger()
        if self._keeper in root.handlers:
            root.removeHandler(self._keeper)
            root.setLevel(self._level)
        if self._lifespan is not None and not self._lifespan.done():
            self._answered.clear()
            await self._ask("lifespan.shutdown")
            self._lifespan.cancel()
            await asyncio.wait({self._lifespan})

    async def _live(self) -> None:
        scope: Message = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        try:
            await self._app(scope, self._inbox.get, self._lifespan_said)
        except Exception as error:  # noqa: BLE001 - the specification: an exception means "not supported"
            if self._failure is not None:
                # Starlette reports the failed start-up, then raises its cause, which says more.
                self._failure = f"{type(error).__name__}: {error}"
            self._supported = False
        finally:
            self._answered.set()

    async def _lifespan_said(self, message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            self._failure = str(message.get("message") or "no reason given").strip().splitlines()[-1:][0]
            return  # answered when the application's task ends, with the exception itself
        self._answered.set()

    async def _ask(self, event: str) -> None:
        self._inbox.put_nowait({"type": event})
        try:
            await asyncio.wait_for(self._answered.wait(), STARTUP_SECONDS)
        except TimeoutError:
            raise HarnessError(f"the application did not answer {event} within {STARTUP_SECONDS:.0f} s") from None

    def start(self, request: Request) -> Call:
        """Begin a request and return at once: for streams that must be open while something else happens."""
        patience = self.patience if request.method == "GET" else REQUEST_SECONDS
        return Call(self._app, self._scope(request), request, patience)

    async def send(self, request: Request) -> Response:
        """Send a request and wait for its response, background tasks included."""
        return await self.start(request).result()

    def _scope(self, request: Request) -> Message:
        named = any(key.lower() == "host" for key, _ in request.headers)
        headers = [] if named else [(b"host", b"testserver")]
        headers += [
            (key.lower().encode("latin-1"), value.encode("latin-1", "replace")) for key, value in request.headers
        ]
        if request.body and not request.websocket:
            headers.append((b"content-length", str(len(request.body)).encode()))
        scope: Message = {
            "type": "websocket" if request.websocket else "http",
            # As uvicorn says of each: so a stream's own server watches for whoever leaves, and ends it at once.
            "asgi": {"version": "3.0", "spec_version": "2.4" if request.websocket else "2.3"},
            "http_version": "1.1",
            "scheme": "ws" if request.websocket else "http",
            "path": request.path,
            "raw_path": request.raw_path.encode(),
            "query_string": request.query_string.encode(),
            "root_path": "",
            "headers": headers,
            "server": ("testserver", 80),
            "client": ("127.0.0.1", 50000),
            "state": self._state.copy(),
        }
        if request.websocket:
            return {**scope, "subprotocols": []}
        return {**scope, "method": request.method}
