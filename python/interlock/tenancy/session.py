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


@dataclass(eq=False, slots=True)
class Session:
    """The state of one physical connection of a pool.

    Attributes:
        pid: the process that serves it.
        clean: oid of the function that ends a checkout in the pipelined mode.
        settings: (name, value) of what the user's ``init`` set for the session; every reset applies them again.
        in_use: it is checked out.
        idle_since: loop time of the end of the latest checkout.
        cleaning: the clean-up that is under way while the session sits in the pool.
        sentinel: the merged mode's own prepared statement, by name; dropped when the object goes.
        channel: the pipelined mode's way to write ahead.

    """

    connection: asyncpg.Connection
    pid: int
    clean: int = 0
    settings: tuple[tuple[str, str], ...] = ()
    in_use: bool = False
    idle_since: float = 0.0
    cleaning: asyncio.Task[None] | None = field(default=None, repr=False)
    sentinel: tuple[str, object] = ("", None)
    channel: Channel | None = field(default=None, repr=False)


class Tracked:
    """Mixed into the pool's connection class, so that a session is found from its connection."""

    __slots__ = ()

    interlock_session: Session | None


def tracked(connection_class: type[asyncpg.Connection]) -> type[asyncpg.Connection]:
    """Return ``connection_class`` with a place for its :class:`Session`."""

    def fill(body: dict[str, Any]) -> None:
        body |= {"__slots__": ("interlock_session",), "__module__": __name__}

    return types.new_class(f"Tracked{connection_class.__name__}", (Tracked, connection_class), exec_body=fill)


async def run_unscoped(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` in an empty context.

    A pool connects, initialises and restores its connections in the context of whoever comes by; none of that may
    see a tenant, nor keep one's scope alive in the callbacks of a transport.
    """
    import asyncio

    return await asyncio.get_running_loop().create_task(work, context=contextvars.Context())
