"""Listeners of a checked-out connection: they get the checked connection, in the context that added them.

They last no longer than the checkout: asyncpg's own reset leaves those of the connection's end, and the loggers of
queries with all their arguments, to the next one.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interlock.tenancy.connection import TenantConnection


class Topic(Enum):
    """What a callback can be for, beside the notifications of a channel."""

    LOG = auto()
    TERMINATION = auto()
    QUERY = auto()


class Callbacks:
    """The callbacks that a connection was given, each with what asyncpg was given in its place.

    asyncpg calls listeners with its own proxy, which checks nothing, in the context the transport was made in.
    """

    __slots__ = ("_connection", "_tasks", "_wrapped")

    def __init__(self, connection: TenantConnection) -> None:
        self._connection = connection
        self._wrapped: dict[tuple[str | Topic, Callable[..., Any]], Callable[..., None]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def add(self, topic: str | Topic, callback: Callable[..., Any]) -> Callable[..., None]:
        """Return what asyncpg shall call for ``callback``; the same for the same callback."""
        return self._wrapped.setdefault((topic, callback), self._wrap(topic, callback))

    def remove(self, topic: str | Topic, callback: Callable[..., Any]) -> Callable[..., None] | None:
        """Forget ``callback`` and return what asyncpg was given for it, if anything."""
        return self._wrapped.pop((topic, callback), None)

    def end(self) -> None:
        """Take off the connection what asyncpg would leave on it at the release."""
        connection = self._connection._checkout.session.connection
        for (topic, _), wrapped in self._wrapped.items():
            if topic is Topic.TERMINATION:
                connection.remove_termination_listener(wrapped)
            elif topic is Topic.QUERY:
                connection.remove_query_logger(wrapped)
        self._wrapped.clear()

    def _wrap(self, topic: str | Topic, callback: Callable[..., Any]) -> Callable[..., None]:
        context = contextvars.copy_context()

        def call(*args: Any) -> None:
            # A logger of queries gets a record alone, the others the connection first.
            given = args if topic is Topic.QUERY else (self._connection, *args[1:])
            if inspect.iscoroutinefunction(callback):
                loop = asyncio.get_running_loop()
                task = loop.create_task(callback(*given), context=context.copy())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                # A context cannot be entered twice, and a callback may lead to another.
                context.copy().run(callback, *given)

        return call
