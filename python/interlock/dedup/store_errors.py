"""Maps what a statement of the store can fail with to the store's own errors, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from interlock.errors import StoreConflict, StoreConnectionLost, StoreError

_LOST = ("08", "57P01", "57P02", "57P03")  # connection exceptions; shutdown, crash, starting up
_CONFLICT = ("40001", "40P01")  # serialization failure, deadlock
_NOT_MIGRATED = ("3F000", "42P01", "42883")  # no such schema, table, function


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise ``StoreConflict``, ``StoreConnectionLost`` or ``StoreError`` for what asyncpg raises inside."""
    import asyncpg

    try:
        yield
    except asyncpg.PostgresError as error:
        state = error.sqlstate or ""
        if state in _CONFLICT:
            raise StoreConflict(
                "a concurrent transaction won and nothing was changed: make the call again",
                retryable=True,
                sqlstate=state,
            ) from error
        if state.startswith(_LOST):
            raise _lost(state) from error
        if state in _NOT_MIGRATED:
            raise StoreError(
                "the tables or functions of interlock.schema are missing or old: run interlock.schema.migrate",
                sqlstate=state,
            ) from error
        raise
    except TimeoutError:
        # An OSError by inheritance, but the caller's own deadline.
        raise
    except (OSError, asyncpg.InternalClientError, asyncpg.InterfaceError) as error:
        if isinstance(error, asyncpg.InterfaceError) and "clos" not in str(error):
            raise
        raise _lost(None) from error


def _lost(sqlstate: str | None) -> StoreConnectionLost:
    return StoreConnectionLost(
        "the connection to PostgreSQL was lost before the answer came: what was asked may have been done; proposing "
        "again is safe, since an equal proposal collapses",
        retryable=True,
        sqlstate=sqlstate,
    )
