"""Answers 503 after a deadline, and says so once: one log line, one audit row, one capture."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from interlock.gates import default_gates

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from interlock.tenancy import TenantPools

logger = logging.getLogger(__name__)
_numbers = itertools.count(1)

# RFC 6455 §7.4.1 and the IANA registry: the service restarts, or is overloaded; try again later.
_TRY_AGAIN_LATER = 1013


@dataclass(frozen=True)
class Trip:
    """The moment a deadline was found passed.

    Attributes:
        event: what the line, the audit row and the capture are called.
        deadline: the deadline, or None if a callable decides.
        path: of the request that found it.

    """

    event: str
    deadline: datetime | None
    path: str

    @property
    def details(self) -> dict[str, Any]:
        """What the audit row and the capture carry."""
        return {"deadline": self.deadline and self.deadline.isoformat(), "path": self.path}


class FireOnceLike(Protocol):
    """What fires once: :class:`~interlock.gates.FireOnce`, or ``ClusterFireOnce`` for all hosts."""

    def transition(self, subkey: str, /) -> AbstractAsyncContextManager[Any]:
        """Enter; true for the one winner, armed again if the body raises."""

    def reset(self, subkey: str, /) -> bool | Awaitable[bool]:
        """Arm it again."""


@runtime_checkable
class AuditsInTurn(Protocol):
    """What ``ClusterFireOnce`` gives the winner: an audit row in the transaction that makes it the winner."""

    def write_audit(self, *, action: str, details: dict[str, Any]) -> Awaitable[object]:
        """Write the row."""


OnTrip: TypeAlias = Callable[..., object]


class DeadlineMiddleware:
    """Answer every request 503 once a deadline has passed. Pure ASGI; the lifespan passes through.

    The first request after the deadline logs at CRITICAL, writes the audit row, captures at ``fatal`` and calls
    ``on_trip``, all in one fire-once branch. What fails is tried again with the first request after a pause of 1 s,
    doubling to 60 s, and what was done is not done twice. Every request gets its 503 whatever fails.

    Args:
        app: the ASGI application.
        deadline: an aware datetime, or a callable that says whether the deadline has passed. When a callable says
            no again, the next yes is a new trip.
        on_trip: called with a :class:`Trip` (or nothing, if it takes no argument); may be async.
        event: what the trip is called.
        pools: where to write the audit row; or a callable that returns them for an ASGI scope, since pools are
            usually made in the lifespan. A ``ClusterFireOnce`` has its own; without either there is no row.
        fire_once: the gate. By default one of this middleware, so one trip per process; give a ``ClusterFireOnce``
            (or a callable that returns it for an ASGI scope) for one per cluster.
        capture: called with the :class:`Trip`; by default Sentry's ``capture_message`` where Sentry is in use.
        retry_after: seconds, for the header of that name.
        timeout: seconds that the first request waits for the row, the capture and ``on_trip``.

    Raises:
        ValueError: ``deadline`` is a datetime without a time zone, or ``retry_after`` is negative.

    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        deadline: datetime | Callable[[], bool],
        on_trip: OnTrip | None = None,
        event: str = "deadline.tripped",
        pools: TenantPools | Callable[[Scope], TenantPools] | None = None,
        fire_once: FireOnceLike | Callable[[Scope], FireOnceLike] | None = None,
        capture: Callable[[Trip], object] | None = None,
        retry_after: int = 60,
        timeout: float = 5.0,
    ) -> None:
        if isinstance(deadline, datetime) and deadline.utcoffset() is None:
            raise ValueError("deadline must be an aware datetime, such as datetime(2027, 1, 1, tzinfo=UTC)")
        if retry_after < 0:
            raise ValueError(f"retry_after must be 0 seconds or more, got {retry_after}")
        self.app = app
        self._deadline = deadline if isinstance(deadline, datetime) else None
        self._passed = _clock_check(deadline) if isinstance(deadline, datetime) else deadline
        self._on_trip = on_trip
        self._event = event
        self._pools = pools
        # Middlewares of one process trip separately; processes that share a gate share the key.
        self._gate = fire_once or default_gates().fire_once(event)
        self._key = event if fire_once else f"{event} {next(_numbers)}"
        self._capture = capture or capture_with_sentry
        self._headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"19"),
            (b"retry-after", str(retry_after).encode()),
        ]
        self._timeout = timeout
        self._tripped = False
        self._done: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
        elif self._passed():
            await self._announce(scope)
            await self._refuse(scope, receive, send)
        else:
            if self._tripped:
                await self._recover(scope)
            await self.app(scope, receive, send)

    async def _announce(self, scope: Scope) -> None:
        self._tripped = True
        try:
            async with self._gate_of(scope).transition(self._key) as turn:
                if turn:
                    trip = Trip(self._event, self._deadline, scope.get("path", ""))
                    async with asyncio.timeout(self._timeout):
                        await self._emit(trip, scope, turn)
        except Exception:
            # Armed again by the transition: a pause lies between two of these lines.
            # interlock: ok called in the branch that fired
            logger.exception("%s: not everything about it could be recorded; it will be tried again", self._event)

    async def _emit(self, trip: Trip, scope: Scope, turn: object) -> None:
        if self._capture is capture_with_sentry:
            _keep_the_line_from_sentry()
        # The log first: it is the one sink that needs neither a database nor a network.
        await self._once("log", lambda: _log(trip))
        await self._once("capture", lambda: self._capture(trip))
        if isinstance(turn, AuditsInTurn):
            # Not remembered: the row is rolled back with the turn.
            await turn.write_audit(action=trip.event, details=trip.details)
        elif (pools := self._pools) is not None:
            await self._once("audit", lambda: _audit(pools(scope) if callable(pools) else pools, trip))
        if self._on_trip is not None:
            on_trip = self._on_trip
            await self._once("on_trip", lambda: on_trip(trip) if _takes_argument(on_trip) else on_trip())

    async def _once(self, step: str, act: Callable[[], object]) -> None:
        if step not in self._done:
            outcome = act()
            if inspect.isawaitable(outcome):
                await outcome
            self._done.add(step)

    async def _recover(self, scope: Scope) -> None:
        self._tripped = False
        self._done.clear()
        armed = self._gate_of(scope).reset(self._key)
        if inspect.isawaitable(armed):
            await armed

    def _gate_of(self, scope: Scope) -> FireOnceLike:
        return self._gate(scope) if callable(self._gate) else self._gate

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 503, "headers": self._headers})
            await send({"type": "http.response.body", "body": b"Service Unavailable"})
        elif "websocket.http.response" in scope.get("extensions", {}):
            await send({"type": "websocket.http.response.start", "status": 503, "headers": self._headers})
            await send({"type": "websocket.http.response.body", "body": b"Service Unavailable"})
        else:
            await receive()  # websocket.connect
            await send({"type": "websocket.close", "code": _TRY_AGAIN_LATER, "reason": "Service Unavailable"})


def capture_with_sentry(trip: Trip) -> None:
    """Capture a trip at ``fatal``, if the process uses Sentry."""
    sentry = sys.modules.get("sentry_sdk")
    if sentry is None:
        return
    with sentry.new_scope() as scope:
        scope.set_context("deadline", trip.details)
        sentry.capture_message(trip.event, level="fatal")


def _keep_the_line_from_sentry() -> None:
    """Before it is written: its logging integration would make a second event of the incident out of it."""
    if "sentry_sdk" in sys.modules:
        from sentry_sdk.integrations.logging import ignore_logger

        ignore_logger(logger.name)


def _clock_check(deadline: datetime) -> Callable[[], bool]:
    return lambda: datetime.now(UTC) >= deadline


def _log(trip: Trip) -> None:
    when = trip.deadline.isoformat() if trip.deadline else "now"
    logger.critical("%s: the deadline (%s) has passed: every request is answered 503", trip.event, when)


async def _audit(pools: TenantPools, trip: Trip) -> None:
    from interlock.audit import write_system_audit

    await write_system_audit(pools, action=trip.event, details=trip.details)


def _takes_argument(function: OnTrip) -> bool:
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    return True
