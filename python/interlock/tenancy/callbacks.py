"""Listeners of a checked-out connection: they get the checked connection, in the context that added them."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interlock.tenancy.connection import TenantConnection


class Callbacks:
    """The callbacks that a connection was given, each with what asyncpg was given in its place.

    asyncpg calls listeners with its own proxy, which checks nothing, in the context the transport was made in.
    """

    __slots__ = ("_connection", "_tasks", "_wrapped")

    def __init__(self, connection: TenantConnection) -> None:
        self._connection = connection
        self._wrapped: dict[tuple[str, Callable[..., Any]], Callable[..., None]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def add(self, topic: str, callback: Callable[..., Any]) -> Callable[..., None]:
        """Return what asyncpg shall call for ``callback``; the same for the same callback."""
        return self._wrapped.setdefault((topic, callback), self._wrap(callback))

    def remove(self, topic: str, callback: Callable[..., Any]) -> Callable[..., None] | None:
        """Forget ``callback`` and return what asyncpg was given for it, if anything."""
        return self._wrapped.pop((topic, callback), None)

    def _wrap(self, callback: Callable[..., Any]) -> Callable[..., None]:
        context = contextvars.copy_context()

        def call(_proxy: object, *args: Any) -> None:
            if inspect.iscoroutinefunction(callback):
                loop = asyncio.get_running_loop()
                task = loop.create_task(callback(self._connection, *args), context=context)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                # A context cannot be entered twice, and a callback may lead to another.
                context.copy().run(callback, self._connection, *args)

        return call
