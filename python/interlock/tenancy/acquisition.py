"""What ``acquire()`` and ``transaction()`` return: the scope is bound at the call, the connection taken on entry."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any

import asyncpg

from interlock.tenancy.chaining import put_behind
from interlock.tenancy.scope import TenantContext, frame_allows

if TYPE_CHECKING:
    from interlock.tenancy.connection import GuardedTransaction, TenantConnection
    from interlock.tenancy.role_pool import RolePool


class Acquisition:
    """``async with`` it, or ``await`` it and release the connection yourself.

    Args:
        pool: where it comes from.
        frame: the scope; None for Interlock's private lane, which has none.
        timeout: seconds to wait for a connection that is ready.

    """

    __slots__ = ("_connection", "_pool", "_timeout", "frame")

    def __init__(self, pool: RolePool, frame: TenantContext | None = None, timeout: float | None = None) -> None:
        self._pool = pool
        self.frame = frame
        self._timeout = timeout
        self._connection: TenantConnection | None = None

    def __await__(self) -> Generator[Any, None, TenantConnection]:
        return self._take().__await__()

    # No coroutine of its own, nor are those it leads to that need none: this is on the way of every request.
    def _take(self) -> Coroutine[Any, Any, TenantConnection]:
        if self.frame is not None:
            frame_allows(self.frame)
        return self._pool.checkout(self.frame, self._timeout)

    async def __aenter__(self) -> TenantConnection:
        if self._connection is not None:
            raise asyncpg.InterfaceError("a connection is already acquired: call acquire() again for another")
        self._connection = await self._take()
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await self._pool.release(connection)
        except Exception as failure:
            # The session is closed and counted by now.
            if error is None:
                raise
            put_behind(error, failure)


class TransactionAcquisition:
    """``async with`` it: a connection inside a transaction, committed at the end of the block."""

    __slots__ = ("_acquisition", "_options", "_transaction")

    def __init__(self, acquisition: Acquisition, options: dict[str, Any]) -> None:
        self._acquisition = acquisition
        self._options = options
        self._transaction: GuardedTransaction | None = None

    async def __aenter__(self) -> TenantConnection:
        connection = await self._acquisition.__aenter__()
        try:
            self._transaction = connection.transaction(**self._options)
            await self._transaction.start()
        except BaseException as error:
            await self._acquisition.__aexit__(type(error), error, error.__traceback__)
            raise
        return connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        transaction, self._transaction = self._transaction, None
        try:
            if transaction is not None:
                await transaction.__aexit__(kind, error, trace)
        except BaseException as ending:
            await self._acquisition.__aexit__(type(ending), ending, ending.__traceback__)
            raise
        await self._acquisition.__aexit__(kind, error, trace)
