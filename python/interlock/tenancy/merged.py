"""Merged mode: reset and scope in one message at the acquire, through asyncpg's public interface alone."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import TYPE_CHECKING, ClassVar

from interlock.errors import ModeUnavailable
from interlock.tenancy.literals import quote_literal
from interlock.tenancy.modes import BROKEN, Mode, ModeName, SessionRefused, reset_statements

if TYPE_CHECKING:
    from interlock.tenancy.session import Session
    from interlock.tenancy.stats import Counters

logger = logging.getLogger("interlock.tenancy")

# An idle session keeps locks, listeners and temporary tables of its last tenant no longer than this and one more
# half: within a second of the release it is clean.
IDLE_SECONDS = 0.5

# The command tag of the last statement tells without an error whether the driver's prepared statements are all there
# are: one prepared in SQL can stand in for one that asyncpg has cached, and DEALLOCATE ALL removes both.
# A function or a block may have dropped single ones: then there are fewer than the driver has cached. No name here can
# be led elsewhere by a search_path that `init` has set.
_INTACT = (
    "SELECT FROM pg_catalog.pg_prepared_statement() AS s "
    "HAVING pg_catalog.bool_or(s.name OPERATOR(pg_catalog.=) {sentinel}) AND NOT pg_catalog.bool_or(s.from_sql) "
    "AND pg_catalog.count(*) OPERATOR(pg_catalog.>=) {cached}"
)
_IS_INTACT = "SELECT 1"
# A name of its own: without a cache for statements the driver gives none.
_SENTINEL = "interlock_sentinel"


class Merged(Mode):
    """One round trip at the acquire; nothing is sent at the release."""

    name: ClassVar[ModeName] = "merged"

    def __init__(self, guc: str, counters: Counters) -> None:
        super().__init__(guc, counters)
        self._idle: set[Session] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def connected(self, session: Session) -> None:
        """Prepare a statement whose only use is to be found there later.

        Raises:
            ModeUnavailable: a new session is refused already, and so would be every other.

        """
        session.sentinel = await session.connection.prepare("SELECT 'interlock'", name=_SENTINEL)
        try:
            await self._send(session, "")
        except SessionRefused:
            raise ModeUnavailable(
                "`init` has prepared or dropped a statement in SQL, which another could stand in for: use "
                "connection.prepare()"
            ) from None
        session.connection.add_termination_listener(lambda _: self._idle.discard(session))

    async def enter(self, session: Session, org: str, seal: str) -> None:
        """Reset the session and set the org, in one message: if one part fails, none of it has happened.

        A signature costs a second message, because it must not show in the text of a statement.
        """
        self._idle.discard(session)
        if session.cleaning is not None:
            await asyncio.shield(session.cleaning)
        # SET takes no parameter.
        scope = "".join(f"SET {name} = {quote_literal(org)}; " for name in self.settings) if org else ""
        await self._send(session, scope)
        if seal:
            await self.renew(session, seal)

    def leave(self, session: Session) -> None:
        """Clean the session later, if nobody takes it within half a second."""
        session.idle_since = asyncio.get_running_loop().time()
        self._idle.add(session)
        self._schedule()

    async def stop(self) -> None:
        """End the clean-up of idle sessions: closing them does the same."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        cleaning = [session.cleaning for session in self._idle if session.cleaning is not None]
        self._idle.clear()
        await asyncio.gather(*cleaning)

    async def _send(self, session: Session, scope: str) -> None:
        settings = "".join(
            f"SELECT pg_catalog.set_config({quote_literal(name)}, {quote_literal(value)}, false); "
            for name, value in session.settings
        )
        reset = "; ".join(reset_statements(session.connection))
        intact = _INTACT.format(sentinel=quote_literal(_SENTINEL), cached=session.cached_statements() + 1)
        answer = await session.connection.execute(f"{reset}; {settings}{scope}{intact}")
        if answer != _IS_INTACT:
            raise SessionRefused

    def _schedule(self) -> None:
        if self._timer is None and self._idle:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(IDLE_SECONDS, self._clean_idle, context=contextvars.Context())

    def _clean_idle(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        for session in list(self._idle):
            if loop.time() - session.idle_since >= IDLE_SECONDS and session.cleaning is None:
                session.cleaning = loop.create_task(self._clean(session))
        self._schedule()

    async def _clean(self, session: Session) -> None:
        try:
            await self._send(session, "")
        except SessionRefused:
            self.counters.sessions_refused += 1
            session.connection.terminate()
        except BROKEN as error:
            if not session.connection.is_closed():
                self.counters.resets_failed += 1
                logger.warning("an idle session could not be reset and is closed: %s", type(error).__name__)
                session.connection.terminate()
        finally:
            session.cleaning = None
            self._idle.discard(session)
