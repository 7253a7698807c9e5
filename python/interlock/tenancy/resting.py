"""Sessions between two checkouts that follow closely, which asyncpg's pool need not see.

The way into that pool and out again takes as long as all else that a checkout does in the client.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

# Less than what the pool does with idle sessions may be late by, and more than what lies between requests under load.
REST_SECONDS = 0.1


class Resting:
    """Keeps free sessions for a moment, then gives them to the pool.

    Args:
        give_back: gives one to it, and waits for nothing that may not come.

    """

    __slots__ = ("_give_back", "_over", "_returning", "_sessions")

    def __init__(self, give_back: Callable[[Any], Awaitable[None]]) -> None:
        self._give_back = give_back
        self._sessions: list[Any] = []
        self._over: asyncio.TimerHandle | None = None
        self._returning: asyncio.Task[None] | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter(self._sessions)

    def keep(self, session: Any) -> None:
        """Let a session rest."""
        self._sessions.append(session)
        if self._over is None:
            loop = asyncio.get_running_loop()
            self._over = loop.call_later(REST_SECONDS, self._return, context=contextvars.Context())

    def take(self) -> Any:
        """Return the session that has rested shortest, as the pool would; None if there is none."""
        return self._sessions.pop() if self._sessions else None

    async def end(self) -> None:
        """Give all of them to the pool."""
        if self._over is not None:
            self._over.cancel()
            self._over = None
        while self._sessions:
            await self._give_back(self._sessions.pop())

    def _return(self) -> None:
        self._over = None
        if self._sessions:
            loop = asyncio.get_running_loop()
            self._returning = loop.create_task(self.end(), context=contextvars.Context())
