"""Interlock's private lane to the admin pool: its own system rows, in any scope or none.

It accepts nothing but the constant statements below, so no caller can turn it into a way round the scope.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interlock.tenancy.role_pool import RolePool


class SystemStatement(enum.Enum):
    """Every statement the lane may run. Their parameters are data; no text is ever put together."""

    WRITE_SYSTEM_AUDIT = (
        "INSERT INTO interlock.audit (org_id, actor, action, subject, details) "
        "VALUES (NULL, $1, $2, $3, $4::text::jsonb) RETURNING id"
    )


class SystemLane:
    """Runs Interlock's system statements on the admin pool."""

    def __init__(self, admin: RolePool) -> None:
        self._admin = admin

    async def fetchrow(self, statement: SystemStatement, *args: Any) -> Any:
        """Run a statement and return its first row, or None."""
        connection = await self._admin.checkout(None)
        try:
            return await connection.fetchrow(_text(statement), *args)
        finally:
            await self._admin.release(connection)

    async def fetchval(self, statement: SystemStatement, *args: Any) -> Any:
        """Run a statement and return the first column of its first row, or None."""
        row = await self.fetchrow(statement, *args)
        return None if row is None else row[0]

    async def close(self) -> None:
        """Give back what the lane holds."""


def _text(statement: SystemStatement) -> str:
    if not isinstance(statement, SystemStatement):
        raise TypeError("the lane runs the members of SystemStatement alone: acquire a connection in a scope instead")
    return statement.value
