"""Tells watchers that something changed: one listener a process, one content-free signal, and they look themselves.

A notification may be lost with the connection it was sent to, so it is never the news itself. Whoever is woken reads
the rows under its own scope; after a gap, everybody is woken.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID
from weakref import WeakKeyDictionary

from interlock.dedup import store_rows as rows
from interlock.dedup.store_errors import StoreErrors
from interlock.dedup.stored import StoredProposal
from interlock.errors import StoreConnectionLost
from interlock.tenancy.scope import frame_allows, require_frame
from interlock.tenancy.system_statements import SystemChannel

if TYPE_CHECKING:
    from interlock.tenancy import TenantPools

FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 5.0


class ChangeSignal:
    """Wakes every watcher of one pair of pools when any proposal changed, or might have.

    The listener runs while somebody watches, in a context of its own, since it serves watchers of every org.
    """

    _of_pools: ClassVar[WeakKeyDictionary[TenantPools, ChangeSignal]] = WeakKeyDictionary()

    def __init__(self, pools: TenantPools) -> None:
        # Not the pools themselves, which the table above must not keep alive.
        self._lane = pools.lane
        self._watchers: set[asyncio.Event] = set()
        self._listener: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, pools: TenantPools) -> ChangeSignal:
        """Return the one signal of these pools."""
        return cls._of_pools.setdefault(pools, cls(pools))

    @asynccontextmanager
    async def watcher(self) -> AsyncIterator[asyncio.Event]:
        """An event that is set when something may have changed; its owner clears it before looking."""
        woken = asyncio.Event()
        self._watchers.add(woken)
        if self._listener is None:
            work = self._keep_listening()
            self._listener = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        try:
            yield woken
        finally:
            self._watchers.discard(woken)
            if not self._watchers and self._listener is not None:
                listener, self._listener = self._listener, None
                listener.cancel()
                await asyncio.gather(listener, return_exceptions=True)

    async def _keep_listening(self) -> None:
        pause = FIRST_RETRY_SECONDS
        while True:
            lost = asyncio.Event()
            try:
                with StoreErrors():
                    stop = await self._lane.listen(SystemChannel.PROPOSALS, heard=self._wake_all, lost=lost.set)
            except StoreConnectionLost:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LAST_RETRY_SECONDS)
                continue
            pause = FIRST_RETRY_SECONDS
            # Something may have changed while nobody listened.
            self._wake_all()
            try:
                await lost.wait()
            finally:
                if not lost.is_set():
                    await stop()

    def _wake_all(self) -> None:
        for woken in self._watchers:
            woken.set()


async def changes(pools: TenantPools, every: float) -> AsyncIterator[StoredProposal]:
    """Yield the proposals in flight under the current scope, then each that is new, approved or moved.

    Rows are read again at each signal, and every ``every`` seconds in case a connection died without a word. A row
    that changed twice in between is yielded once, as it is now.
    """
    frame = require_frame()
    known: dict[UUID, int] = {}
    since: str | None = None
    async with ChangeSignal.of(pools).watcher() as woken:
        while True:
            woken.clear()
            frame_allows(frame)
            try:
                with StoreErrors():
                    found: list[Any] = (
                        await pools.fetch(rows.WATCH_FIRST)
                        if since is None
                        else await pools.fetch(rows.WATCH_NEXT, since)
                    )
            except StoreConnectionLost:
                # The listener reconnects as well, and wakes us when it is back.
                await _wait(woken, FIRST_RETRY_SECONDS)
                continue
            # Whatever commits from now on was not finished in this snapshot, so the next read will see it.
            since = found[0]["horizon"]
            changed = [rows.stored(row) for row in found if row["id"] is not None]
            news = [row for row in changed if known.get(row.id) != row.version]
            known = {row.id: row.version for row in changed}
            for row in news:
                yield row
            await _wait(woken, every)


async def _wait(woken: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return
