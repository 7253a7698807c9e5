"""Prepared statements and cursors of a checked-out connection: each use checks the scope first."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any

from asyncpg import cursor as asyncpg_cursor
from asyncpg import prepared_stmt

if TYPE_CHECKING:
    from interlock.tenancy.checkout import Checkout


class _Guarded:
    """Passes everything on to asyncpg's object."""

    __slots__ = ("_checkout", "_inner")

    def __init__(self, checkout: Checkout, inner: Any) -> None:
        self._checkout = checkout
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._inner, name)

    def __repr__(self) -> str:
        return repr(self._inner)


def _step(of: type, name: str) -> Callable[..., Awaitable[Any]]:
    """A method of asyncpg's class ``of`` that sends something, behind the check."""

    @functools.wraps(getattr(of, name))
    def guarded(self: _Guarded, *args: Any, **kwargs: Any) -> Awaitable[Any]:
        return self._checkout.send(getattr(self._inner, name), args, kwargs)

    return guarded


class GuardedStatement(_Guarded):
    """A prepared statement (:class:`asyncpg.prepared_stmt.PreparedStatement`)."""

    __slots__ = ()

    fetch = _step(prepared_stmt.PreparedStatement, "fetch")
    fetchval = _step(prepared_stmt.PreparedStatement, "fetchval")
    fetchrow = _step(prepared_stmt.PreparedStatement, "fetchrow")
    fetchmany = _step(prepared_stmt.PreparedStatement, "fetchmany")
    executemany = _step(prepared_stmt.PreparedStatement, "executemany")
    explain = _step(prepared_stmt.PreparedStatement, "explain")

    def cursor(self, *args: Any, **options: Any) -> GuardedCursorFactory:
        """Return a cursor over the statement's rows."""
        self._checkout.permit()
        return GuardedCursorFactory(self._checkout, self._inner.cursor(*args, **options))


class GuardedCursorFactory(_Guarded):
    """``async for`` it, or ``await`` it for an open cursor."""

    __slots__ = ()

    def __aiter__(self) -> AsyncIterator[Any]:
        return GuardedCursorIterator(self._checkout, self._inner.__aiter__())

    def __await__(self) -> Generator[Any, None, GuardedCursor]:
        return self._open().__await__()

    async def _open(self) -> GuardedCursor:
        return GuardedCursor(self._checkout, await self._checkout.send(self._opened, (), {}))

    async def _opened(self) -> Any:
        return await self._inner


class GuardedCursorIterator(_Guarded):
    """The rows of a cursor; rows that were fetched ahead are withheld too once the scope is over."""

    __slots__ = ()

    def __aiter__(self) -> GuardedCursorIterator:
        return self

    __anext__ = _step(asyncpg_cursor.CursorIterator, "__anext__")


class GuardedCursor(_Guarded):
    """An open cursor (:class:`asyncpg.cursor.Cursor`)."""

    __slots__ = ()

    fetch = _step(asyncpg_cursor.Cursor, "fetch")
    fetchrow = _step(asyncpg_cursor.Cursor, "fetchrow")
    forward = _step(asyncpg_cursor.Cursor, "forward")
