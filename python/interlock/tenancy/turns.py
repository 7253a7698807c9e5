"""Who uses a pool's sessions, and who waits for one: first come, first served.

A session that somebody waits for goes to them from whoever is done with it, and not through asyncpg's pool, whose way
takes longer than everything else that a checkout does when sessions are few.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any


class Turns:
    """As many at a time as the pool has sessions.

    Args:
        most: how many that is.

    """

    __slots__ = ("_most", "_taken", "_waiting")

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._waiting: deque[asyncio.Future[Any]] = deque()

    def begin(self) -> bool:
        """Take a turn, if there is one now."""
        if self._taken >= self._most:
            return False
        self._taken += 1
        return True

    def wait(self) -> asyncio.Future[Any]:
        """Wait for a turn: for a session that comes with it, or None."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        return waiter

    def is_awaited(self) -> bool:
        """Whether somebody waits."""
        waiting = self._waiting
        while waiting and waiting[0].done():  # who waited was cancelled
            waiting.popleft()
        return bool(waiting)

    def pass_on(self, session: Any) -> None:
        """Give the turn, and a session, to the one who has waited longest."""
        self._waiting.popleft().set_result(session)

    def end(self) -> None:
        """Give the turn back, or to the one who has waited longest."""
        if self.is_awaited():
            self.pass_on(None)
        else:
            self._taken -= 1
