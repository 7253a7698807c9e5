"""Interlock's private lane to the admin pool: its own system rows, in any scope or none.

It accepts nothing but constant statements, so no caller can turn it into a way round the scope.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from interlock.tenancy.acquisition import Acquisition, TransactionAcquisition
from interlock.tenancy.system_statements import SystemChannel, SystemStatement

if TYPE_CHECKING:
    import asyncpg

    from interlock.tenancy.connection import TenantConnection
    from interlock.tenancy.role_pool import RolePool


class SystemLane:
    """Runs Interlock's system statements on the admin pool."""

    def __init__(self, admin: RolePool) -> None:
        self._admin = admin
        self._listening: set[asyncpg.Connection] = set()

    async def listen(
        self, channel: SystemChannel, *, heard: Callable[[], object], lost: Callable[[], object]
    ) -> Callable[[], Awaitable[None]]:
        """Listen on a connection of its own, and return what ends it.

        ``heard`` is called for each notification, ``lost`` once when the connection is gone.
        """
        connection = await self._admin.open_apart()
        self._listening.add(connection)

        def gone(_: object) -> None:
            self._listening.discard(connection)
            lost()

        def notified(*_: object) -> None:
            heard()

        connection.add_termination_listener(gone)
        try:
            await connection.add_listener(channel.value, notified)
        except BaseException:
            connection.terminate()
            raise

        async def stop() -> None:
            # Not close(), which waits for the server: a network that swallows would hold up whoever stops listening.
            connection.terminate()

        return stop

    async def fetchrow(self, statement: SystemStatement, *args: Any) -> Any:
        """Run a statement and return its first row, or None."""
        async with Acquisition(self._admin) as connection:
            return await connection.fetchrow(_text(statement), *args)

    async def fetchval(self, statement: SystemStatement, *args: Any) -> Any:
        """Run a statement and return the first column of its first row, or None."""
        row = await self.fetchrow(statement, *args)
        return None if row is None else row[0]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SystemTransaction]:
        """Run several statements in one transaction, which is rolled back if the block raises."""
        async with TransactionAcquisition(Acquisition(self._admin), {}) as connection:
            yield SystemTransaction(connection)

    async def close(self) -> None:
        """End every listener."""
        for connection in list(self._listening):
            await connection.close()


class SystemTransaction:
    """A transaction on the lane; it takes the same constant statements."""

    def __init__(self, connection: TenantConnection) -> None:
        self._connection = connection

    async def fetchval(self, statement: SystemStatement, *args: Any) -> Any:
        """Run a statement and return the first column of its first row, or None."""
        return await self._connection.fetchval(_text(statement), *args)


def _text(statement: SystemStatement) -> str:
    if not isinstance(statement, SystemStatement):
        raise TypeError("the lane runs the members of SystemStatement alone: acquire a connection in a scope instead")
    return statement.value
