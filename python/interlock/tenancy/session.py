"""What is known of one physical connection, from its connect to its end."""

from __future__ import annotations

import contextvars
import types
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio

    import asyncpg

    from interlock.tenancy.pipelined import Channel

T = TypeVar("T")

# ParameterStatus (Asynchronous Operations, 55.2.7). A pooler keeps these for each of its clients.
_REPORTED = (
    *("client_encoding", "standard_conforming_strings", "DateStyle", "IntervalStyle", "TimeZone"),
    "application_name",
)


@dataclass(eq=False, slots=True)
class Session:
    """The state of one physical connection of a pool.

    Attributes:
        pid: the process that serves it.
        settings: (name, value) of what the user's ``init`` set for the session; every reset applies them again.
        reported: what the server reported at the start of the session of the settings that clients may change.
        misses_statement: one of the driver's statements was found to be gone.
        has_other_codecs: a checkout has changed how the driver reads and writes a type.
        in_use: it is checked out.
        has_turn: its end is the end of a turn at the pool.
        idle_since: loop time of the end of the latest checkout.
        cleaning: the clean-up that is under way while the session sits in the pool.
        sentinel: the merged mode's own prepared statement, dropped when the object goes.
        channel: the pipelined mode's way to write ahead.

    """

    connection: asyncpg.Connection
    pid: int
    settings: tuple[tuple[str, str], ...] = ()
    reported: dict[str, str] = field(default_factory=dict)
    misses_statement: bool = False
    has_other_codecs: bool = False
    in_use: bool = False
    has_turn: bool = False
    idle_since: float = 0.0
    cleaning: asyncio.Task[None] | None = field(default=None, repr=False)
    sentinel: object = field(default=None, repr=False)
    channel: Channel | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.reported = {
            name: value
            for name in _REPORTED
            if (value := getattr(self.connection.get_settings(), name, None)) is not None
        }

    def in_other_encoding(self) -> bool:
        """Whether a statement has changed the encoding in which the driver and the server speak."""
        name = "client_encoding"
        return getattr(self.connection.get_settings(), name, None) != self.reported.get(name)

    def cached_statements(self) -> int:
        """How many prepared statements the driver relies on; 0 if it does not tell."""
        return len(getattr(self.connection, "_stmt_cache", ()))


class Tracked:
    """Mixed into the pool's connection class, so that a session is found from its connection."""

    __slots__ = ()

    interlock_session: Session | None


def tracked(connection_class: type[asyncpg.Connection]) -> type[asyncpg.Connection]:
    """Return ``connection_class`` with a place for its :class:`Session`."""

    def fill(body: dict[str, Any]) -> None:
        body |= {"__slots__": ("interlock_session",), "__module__": __name__}

    return types.new_class(f"Tracked{connection_class.__name__}", (Tracked, connection_class), exec_body=fill)


def session_of(proxy: Any) -> Session:
    """Return the session behind what asyncpg's pool lends."""
    # The proxy passes every attribute on, but not before the interpreter has made an error that it has none.
    connection = getattr(proxy, "_con", proxy)
    session: Session = connection.interlock_session
    return session


async def run_unscoped(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` in an empty context.

    A pool connects, initialises and restores its connections in the context of whoever comes by; none of that may
    see a tenant, nor keep one's scope alive in the callbacks of a transport.
    """
    import asyncio

    return await asyncio.get_running_loop().create_task(work, context=contextvars.Context())
