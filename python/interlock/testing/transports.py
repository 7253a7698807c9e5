"""Other ways to reach an application: real HTTP, or the methods of a user's own harness."""

from __future__ import annotations

import asyncio
import inspect
import json
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from interlock.errors import HarnessError
from interlock.testing.exchange import Request, Response
from interlock.testing.models import BodyModel
from interlock.testing.routes import Discovery, Endpoint

if TYPE_CHECKING:
    import httpx

IDLE_SECONDS = 0.3
_GENERIC_BODY = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "note": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name"],
}


class Pending:
    """A request under way on another transport."""

    def __init__(self, answer: Any) -> None:
        self._task: asyncio.Task[Response] = asyncio.get_running_loop().create_task(answer)

    async def quiet(self, most: float = IDLE_SECONDS, least: float = 0.0) -> bool:
        """Give the server time to begin."""
        await asyncio.wait({self._task}, timeout=max(most, least))
        return self._task.done()

    async def result(self, listen: float | None = None) -> Response:
        """The response."""
        return await self._task


class HttpTransport:
    """Sends over real HTTP with ``httpx``; the application's routes still come from the application object."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self.patience = 30.0
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        import httpx

        self._client = httpx.AsyncClient(base_url=self._base_url, timeout=self.patience)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def send(self, request: Request) -> Response:
        """Send and wait; a stream that has gone quiet is left."""
        import httpx

        if self._client is None:
            raise HarnessError("the HTTP transport is not open")
        if request.websocket:
            return Response(501, error="WebSockets are not driven over HTTP")
        chunks: list[bytes] = []
        try:
            async with self._client.stream(
                request.method, request.target, headers=list(request.headers), content=request.body or None
            ) as answer:
                complete = await self._collect(answer, chunks)
                headers = tuple((key.lower(), value) for key, value in answer.headers.multi_items())
                return Response(answer.status_code, headers, b"".join(chunks), complete)
        except httpx.TransportError as error:
            return Response(503, error=type(error).__name__)

    async def _collect(self, answer: httpx.Response, chunks: list[bytes]) -> bool:
        parts = answer.aiter_bytes()
        while True:
            try:
                chunks.append(await asyncio.wait_for(anext(parts), IDLE_SECONDS if chunks else 5))
            except StopAsyncIteration:
                return True
            except TimeoutError:
                return False

    def start(self, request: Request) -> Pending:
        """Send and return at once."""
        return Pending(self.send(request))


class ProtocolTransport:
    """Calls ``write_as_org`` and ``read_as_org`` of a user's harness; what they return counts as a response body."""

    ORG = "interlock-org"

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self.patience = 0.0  # its methods take as long as they take
        self._orgs: list[Any] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def register(self, org: Any) -> int:
        """Remember the user's org object; its number travels in a header."""
        self._orgs.append(org)
        return len(self._orgs) - 1

    async def send(self, request: Request) -> Response:
        """Call the user's method; an exception is a failed response."""
        number = dict(request.headers).get(self.ORG)
        if number is None:
            return Response(401, error="the protocol has no anonymous requests")
        org = self._orgs[int(number)]
        endpoint = self._protocol_name(request)
        try:
            if request.method == "GET":
                answer = self._protocol.read_as_org(org, endpoint)
            else:
                answer = self._protocol.write_as_org(org, endpoint, json.loads(request.body))
            answer = await answer if inspect.isawaitable(answer) else answer
        except Exception as error:  # noqa: BLE001 - the user's method reports refusals as it likes
            return Response(_status(error), body=str(error).encode(), error=type(error).__name__)
        body = json.dumps(answer, default=str).encode()
        return Response(200, (("content-type", "application/json"),), body)

    def _protocol_name(self, request: Request) -> str:
        listed = _call(
            self._protocol.list_all_read_endpoints
            if request.method == "GET"
            else self._protocol.list_all_write_endpoints
        )
        return next((name for name in listed if name.rpartition(" ")[2] == request.path), request.path)

    def start(self, request: Request) -> Pending:
        """Call and return at once."""
        return Pending(self.send(request))


def protocol_discovery(protocol: Any) -> Discovery:
    """The endpoints a user's harness lists; their payloads are the reference's: name, note, tags."""
    endpoints = [Endpoint("GET", name.rpartition(" ")[2]) for name in _call(protocol.list_all_read_endpoints)]
    for name in _call(protocol.list_all_write_endpoints):
        method, _, path = name.rpartition(" ")
        endpoints.append(Endpoint(method or "POST", path, body=BodyModel(_GENERIC_BODY)))
    for index, endpoint in enumerate(endpoints):
        endpoint.index = index
    return Discovery(endpoints, [], [])


def _call(method: Any) -> list[str]:
    listed = method()
    if inspect.isawaitable(listed):
        raise HarnessError("list_all_read_endpoints and list_all_write_endpoints must not be async")
    return list(listed)


def _status(error: Exception) -> int:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None) or getattr(error, "status_code", None)
    if isinstance(status, int):
        return status
    return 403 if isinstance(error, PermissionError) else 404 if isinstance(error, LookupError) else 500
