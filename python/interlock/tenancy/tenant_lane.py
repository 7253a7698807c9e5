"""A session of the tenant role for Interlock's own statements, each of which brings its org along.

Such a statement sets the scope for itself alone and leaves nothing behind. So a session that runs nothing else needs
neither a prelude nor a reset, which cost as much as the statement itself.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import asyncpg

from interlock.errors import ScopeMissing
from interlock.tenancy.scope import frame_allows
from interlock.tenancy.system_statements import TenantStatement

if TYPE_CHECKING:
    from interlock.tenancy.acquisition import Acquisition
    from interlock.tenancy.role_pool import RolePool

# A session that was idle for longer may be gone without a word, behind a firewall that forgets.
_IDLE_SECONDS = 300.0
# After a login that failed, such as for too many connections, the pool serves alone for a while.
_LOGIN_PAUSE_SECONDS = 30.0


class TenantLane:
    """Runs one statement at a time on the session; what comes meanwhile takes a connection of the pool.

    The session is opened for the first statement, outside the pool, and opened anew when it was lost.
    """

    def __init__(self, tenant: RolePool) -> None:
        self._tenant = tenant
        self._session: asyncpg.Connection | None = None
        self._used_at = -math.inf
        self._retry_at = -math.inf
        self._busy = False
        self._closing = False
        self._rested = asyncio.Event()

    async def fetch(self, acquisition: Acquisition, statement: TenantStatement, *args: Any) -> list[Any]:
        """Run a statement for the org of the acquisition's scope, and return its rows.

        Raises:
            ScopeMissing: the scope is that of no tenant; nothing was sent.

        """
        if not isinstance(statement, TenantStatement):
            raise TypeError("the lane runs the members of TenantStatement alone: acquire a connection instead")
        frame = acquisition.frame
        if frame is None or frame.org_text is None:
            raise ScopeMissing(
                f"{statement.name.lower()} acts for one org, and pre_org_resolution_scope is none: open "
                "tenant_scope(org_id) inside it"
            )
        if not (self._busy or self._closing or self._tenant.mode.transactional):
            self._busy = True
            try:
                session = await self._ready()
                if session is not None:
                    frame_allows(frame)
                    return list(await session.fetch(statement.value, frame.org_text, *args))
            finally:
                self._busy = False
                self._rested.set()
        async with acquisition as connection:
            return list(await connection.fetch(statement.value, frame.org_text, *args))

    async def _ready(self) -> asyncpg.Connection | None:
        """The session, opened if need be; None if that failed, now or a moment ago."""
        now = asyncio.get_running_loop().time()
        if self._session is not None and (self._session.is_closed() or now - self._used_at > _IDLE_SECONDS):
            self.terminate()
        if self._session is None and now >= self._retry_at:
            try:
                self._session = await self._tenant.open_like_pooled()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                # Whatever it is, the pool meets it too, and its caller hears of it.
                self._retry_at = now + _LOGIN_PAUSE_SECONDS
        self._used_at = now
        return self._session

    def expire(self) -> None:
        """Replace the session before its next statement."""
        self._used_at = -math.inf

    def terminate(self) -> None:
        """Close the session at once."""
        session, self._session = self._session, None
        if session is not None:
            session.terminate()

    async def close(self) -> None:
        """Wait for the statement that is under way, then close the session."""
        self._closing = True
        while self._busy:
            self._rested.clear()
            await self._rested.wait()
        if self._session is not None:
            await self._session.close()
