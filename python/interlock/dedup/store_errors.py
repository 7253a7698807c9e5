"""Maps what a statement of the store can fail with to the store's own errors, once."""

from __future__ import annotations

from types import TracebackType

from interlock.errors import StoreConflict, StoreConnectionLost, StoreError

_LOST = ("08", "57P01", "57P02", "57P03")  # connection exceptions; shutdown, crash, starting up
_CONFLICT = ("40001", "40P01")  # serialization failure, deadlock
_NOT_MIGRATED = ("3F000", "42P01", "42883")  # no such schema, table, function


class StoreErrors:
    """Raises ``StoreConflict``, ``StoreConnectionLost`` or ``StoreError`` for what asyncpg raises inside.

    A class, because each proposal enters it, and a generator costs three times as much.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        if error is not None and (translated := _translated(error)) is not None:
            raise translated from error


def _translated(error: BaseException) -> StoreError | None:
    """The store's own error for one of the driver's; None for what the caller shall see as it is."""
    import asyncpg

    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        if state in _CONFLICT:
            return StoreConflict(
                "a concurrent transaction won and nothing was changed: make the call again",
                retryable=True,
                sqlstate=state,
            )
        if state.startswith(_LOST):
            return _lost(state)
        if state in _NOT_MIGRATED:
            return StoreError(
                "the tables or functions of interlock.schema are missing or old: run interlock.schema.migrate",
                sqlstate=state,
            )
        return None
    # A TimeoutError is an OSError by inheritance, but the caller's own deadline.
    is_deadline = isinstance(error, TimeoutError)
    if isinstance(error, OSError | asyncpg.InternalClientError) and not is_deadline:
        return _lost(None)
    if isinstance(error, asyncpg.InterfaceError) and "clos" in str(error):
        return _lost(None)
    return None


def _lost(sqlstate: str | None) -> StoreConnectionLost:
    return StoreConnectionLost(
        "the connection to PostgreSQL was lost before the answer came: what was asked may have been done; proposing "
        "again is safe, since an equal proposal collapses",
        retryable=True,
        sqlstate=sqlstate,
    )
