"""Gives a session back to asyncpg's pool, in no task of its own where there is nothing to wait for.

asyncpg releases in a task, so that no cancellation stops it half-way. A release that waits for nothing cannot be
cancelled; the task, and the two turns of the event loop that it takes, are most of what it costs.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncpg


async def give_back(pool: asyncpg.Pool, proxy: Any, timeout: float | None) -> None:
    """Release ``proxy``; as ``pool.release(proxy, timeout=timeout)``, and sooner where asyncpg is what we know.

    One that asyncpg may close is left to asyncpg: a close has a time limit, which must begin and end in one task.
    """
    releasing = _release_without_task(proxy) if timeout is None and is_at_rest(proxy) else None
    if releasing is None:
        await pool.release(proxy, timeout=timeout)
        return
    try:
        waited_for = releasing.send(None)
    except StopIteration:
        return
    await asyncio.shield(_rest(releasing, waited_for))


def is_at_rest(proxy: Any) -> bool:
    """Whether asyncpg's pool would neither close the session at its release nor have anything to undo in it."""
    try:
        connection, holder = proxy._con, proxy._holder
        protocol = connection._protocol
        return not (
            connection.is_closed()
            or connection._top_xact is not None
            or connection._listeners
            or connection._log_listeners
            or protocol.is_in_transaction()
            or protocol._is_cancelling()
            or protocol.queries_count >= holder._max_queries
            or holder._generation != holder._pool._generation
        )
    except AttributeError:
        # It has ended, or this asyncpg is not the one we know.
        return False


def _release_without_task(proxy: Any) -> Coroutine[Any, Any, None] | None:
    """What ``pool.release()`` runs in a task; None if this asyncpg has something else."""
    try:
        housekeeping, release = proxy._con._on_release, proxy._holder.release
    except AttributeError:
        return None
    housekeeping()
    releasing: Coroutine[Any, Any, None] = release(None)
    return releasing


async def _rest(releasing: Coroutine[Any, Any, None], waited_for: object) -> None:
    await _continue(releasing, waited_for)


@types.coroutine
def _continue(releasing: Coroutine[Any, Any, None], waited_for: object) -> Generator[Any, None, None]:
    """Run on a coroutine that waits for ``waited_for``, which its task has still to hear of."""
    try:
        while True:
            try:
                answer = yield waited_for
            except BaseException as error:  # noqa: BLE001 - the coroutine's to handle, and to wait again after
                waited_for = releasing.throw(error)
            else:
                waited_for = releasing.send(answer)
    except StopIteration:
        return
