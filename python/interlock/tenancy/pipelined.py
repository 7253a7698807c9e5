"""Pipelined mode: the scope is set ahead of the first statement, the reset follows the last, neither is waited for.

The *prelude* of a checkout is written without Sync, so that PostgreSQL discards everything behind it, the user's
first statement included, if any part of it fails (Extended Query, 55.2.3). It names a random nonce that the session
knows only if the *reset* after the checkout before has run to its end. So no answer need be waited for to be sure
that a statement runs in the scope of its own org or not at all.

The answers are taken out of the stream by :class:`interlock._native.ReplyProtocol`. This mode uses two private
attributes of asyncpg's connection, its transport and its protocol; a self-test at the start says whether they are
what they were.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import secrets
from typing import TYPE_CHECKING, Any, ClassVar

import asyncpg

from interlock._native import ReplyProtocol
from interlock.errors import ModeUnavailable
from interlock.tenancy.hold import hold_for
from interlock.tenancy.modes import Mode, ModeName, reset_statements
from interlock.tenancy.seal import SETTING
from interlock.tenancy.wire import EXECUTE, NULL, SYNC, bind, parse, text, text_array

if TYPE_CHECKING:
    from interlock.tenancy.session import Session
    from interlock.tenancy.stats import Counters

logger = logging.getLogger("interlock.tenancy")

# By name, because that saves the server the parsing. Whoever can send SQL can drop one of these and PREPARE another
# under its name. hand_over() refuses a session that holds such a one. Nothing can stand in for the CALL itself: it has
# no name, and is parsed after the last statement of the last user.
_NAMED = {
    # Not in the isolation level that the last user made the default: a deferrable one may have to wait.
    "interlock_begin": "BEGIN ISOLATION LEVEL READ COMMITTED",
    "interlock_commit": "COMMIT",
}
# BEGIN and COMMIT, because the settings would otherwise belong to the implicit transaction of the user's first
# statement, and go when that fails. With types (text, text[]) there is nothing to infer.
_BEGIN = bind("interlock_begin") + EXECUTE
_HAND_OVER = _BEGIN + parse("", "CALL interlock_session.hand_over($1)", 1009)
_ENTER = _BEGIN + parse("", "CALL interlock_session.enter($1, $2)", 25, 1009)
# What stood in for BEGIN may have dropped itself before hand_over() looked, and have left a deferred trigger that runs
# at the COMMIT, in the next scope. But then there is no statement of that name to bind, and all is undone.
_COMMIT = EXECUTE + bind("interlock_begin") + bind("interlock_commit") + EXECUTE
_PRELUDE_COMMANDS = 3
_UNDONE = {
    "RESET ROLE",
    "SELECT pg_advisory_unlock_all()",
    "CLOSE ALL",
    "UNLISTEN *",
    "RESET ALL",
    "DISCARD TEMP",
    "DISCARD SEQUENCES",
}
# As hand_over() says it, or as the server does of a statement that is not there.
_CHANGED_BY_SQL = ("IL001", "26000")

# In a text that is made once, where the org goes; no setting's name or value can hold it.
_ORG = "\0"

# A reset that takes longer waits for a lock that another session holds.
RESET_SECONDS = 5.0


# A reset that waits for the next prelude costs no message and no transaction of its own. It waits for this long.
FLUSH_SECONDS = 0.01

# Preludes and resets without an answer, beyond which a checkout waits for the server.
MOST_AHEAD = 16


class Channel:
    """Writes ahead on one session and hears of failures."""

    __slots__ = (
        *("_hold", "_mode", "_nonce", "_owes_reset", "_protocol", "_scope", "_settings"),
        *("closed_by", "session", "since"),
    )

    def __init__(self, mode: Pipelined, session: Session) -> None:
        connection: Any = session.connection
        transport = connection._transport
        self._protocol = ReplyProtocol(connection._protocol, self._failed)
        transport.set_protocol(self._protocol)
        self._hold = hold_for(transport)
        self._mode = mode
        self._nonce = NULL
        self._owes_reset = False
        self._settings = [part for setting in session.settings for part in setting]
        scope = [part for name in mode.settings for part in (name, _ORG)]
        # Made once, because quoting is most of the work: of a scope that follows a reset, and of one that does not.
        self._scope = {True: text_array([*self._settings, *scope]), False: text_array(scope)}
        self.session = session
        self.closed_by: str | None = None
        self.since = 0.0

    @property
    def awaits_reset(self) -> bool:
        """Whether a reset was written and the server has not answered it."""
        return bool(self._protocol.awaits_reset)

    async def prepare(self) -> None:
        """Prepare the named statements and make the session clean."""
        self._protocol.expect_reset()
        self._hold.write(b"".join(parse(name, text) for name, text in _NAMED.items()) + SYNC)
        self.clean()
        await self._answered()

    @property
    def is_far_ahead(self) -> bool:
        """Whether too many answers are to come, as when checkouts send nothing and let nothing else run."""
        return bool(self._protocol.unanswered >= MOST_AHEAD)

    async def catch_up(self) -> None:
        """Wait for the answers."""
        self.flush()
        await self._answered()

    async def _answered(self) -> None:
        answered = asyncio.Event()
        self._protocol.when_settled(answered.set)
        await answered.wait()

    def enter(self, org: str, seal: str) -> None:
        """Set the org ahead of whatever is sent next, and undo the checkout before if that was put off."""
        # A canonical org id holds nothing that an array would have to escape.
        settings = self._scope[self._owes_reset].replace(_ORG, org)
        if seal:
            settings = f'{settings[:-1]},"{SETTING}","{seal}"}}'
        self._protocol.expect_prelude(_PRELUDE_COMMANDS)
        if self._owes_reset:
            self._owes_reset = False
            prelude = _HAND_OVER + bind("", text(settings))
        else:
            prelude = _ENTER + bind("", self._nonce, text(settings))
        self._hold.hold(prelude + _COMMIT)

    def leave(self) -> None:
        """See to it that what the checkout left is undone with the next prelude, or with :meth:`flush` before that."""
        self._owes_reset = True

    def clean(self) -> None:
        """Undo what the checkout left, tell the session the next nonce, and parse what begins the next checkout."""
        self._owes_reset = False
        nonce = secrets.token_hex(16)
        self._nonce = text(nonce)
        self.since = asyncio.get_running_loop().time()
        self._protocol.expect_reset()
        settings = text_array([*self._settings, "interlock.clean", nonce])
        self._hold.write(_HAND_OVER + bind("", text(settings)) + _COMMIT + SYNC)

    def flush(self) -> None:
        """Write what was put off."""
        if self._owes_reset:
            self.clean()
        else:
            self._hold.flush()

    def forget_nonce(self) -> None:
        """Make the next prelude fail."""
        self._nonce = NULL

    def was_prepared_by_sql(self) -> bool:
        """Whether the checkout prepared or dropped statements through SQL."""
        return bool(self._protocol.take_prepared_by_sql())

    def was_told_of_settings(self) -> bool:
        """Whether the server has reported the change of a setting since the last call."""
        return bool(self._protocol.take_reported())

    def close(self) -> None:
        """Give the session up as one that could not be reset."""
        self._failed("reset", None)

    def _failed(self, during: str, sqlstate: str | None) -> None:
        self.closed_by = during
        # Not the transport alone: the pool must know before it lends the session again.
        self.session.connection.terminate()
        self._mode.failed(self, during, sqlstate)


class Pipelined(Mode):
    """No round trip of its own, neither at the acquire nor at the release."""

    name: ClassVar[ModeName] = "pipelined"

    def __init__(self, guc: str, counters: Counters, *, quiet: bool = False) -> None:
        super().__init__(guc, counters)
        self._quiet = quiet
        self._channels: set[Channel] = set()
        self._watching: asyncio.TimerHandle | None = None
        self._flushing: asyncio.TimerHandle | None = None

    async def connected(self, session: Session) -> None:
        """Put the scanner into the session's stream."""
        require_standard_reset(session.connection)
        channel = Channel(self, session)
        await channel.prepare()
        if channel.closed_by is not None:
            raise ModeUnavailable("the procedure of the pipelined mode failed: run interlock.schema.migrate again")
        if session.connection.is_closed():
            raise asyncpg.ConnectionDoesNotExistError("the connection was lost while it was prepared: try again")
        session.channel = channel
        self._channels.add(channel)
        session.connection.add_termination_listener(lambda _: self._channels.discard(channel))

    async def enter(self, session: Session, org: str, seal: str) -> None:
        """Write the prelude, no later than the first statement."""
        channel = _channel(session)
        if channel.is_far_ahead:
            await channel.catch_up()
        channel.enter(org, seal)

    def leave(self, session: Session) -> None:
        """See to the reset; or close the session, if it was seen that the reset will be refused."""
        channel = _channel(session)
        # In another encoding, the first statement after the reset would be misread: it is written before the driver
        # hears that the encoding is the old one again.
        if channel.was_prepared_by_sql() or (channel.was_told_of_settings() and session.in_other_encoding()):
            self.counters.sessions_refused += 1
            session.connection.terminate()
            return
        channel.leave()
        self._watch()

    async def stop(self) -> None:
        """End the watch."""
        for timer in (self._watching, self._flushing):
            if timer is not None:
                timer.cancel()

    def failed(self, channel: Channel, during: str, sqlstate: str | None) -> None:
        """Count a session that had to be closed."""
        if sqlstate in _CHANGED_BY_SQL:
            self.counters.sessions_refused += 1
        elif during == "prelude":
            self.counters.preludes_failed += 1
        else:
            self.counters.resets_failed += 1
            # Whoever is using the session hears of it at once.
            self.unreported += not channel.session.in_use
        if not self._quiet:
            logger.warning("a session was closed because its %s failed (SQLSTATE %s)", during, sqlstate)

    def _watch(self) -> None:
        if self._watching is not None and self._flushing is not None:
            return
        loop = asyncio.get_running_loop()
        if self._watching is None:
            self._watching = loop.call_later(RESET_SECONDS, self._close_stuck, context=contextvars.Context())
        if self._flushing is None:
            self._flushing = loop.call_later(FLUSH_SECONDS, self.flush, context=contextvars.Context())

    def flush(self) -> None:
        """Write what was put off."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        # One whose transport has failed leaves the set.
        for channel in list(self._channels):
            try:
                channel.flush()
            except (OSError, RuntimeError):
                # Its transport is closing, and the driver has not heard of it yet. The others' turn is not lost.
                channel.session.connection.terminate()

    def _close_stuck(self) -> None:
        self._watching = None
        now = asyncio.get_running_loop().time()
        waiting = [channel for channel in self._channels if channel.awaits_reset]
        for channel in waiting:
            if now - channel.since >= RESET_SECONDS:
                channel.close()
        if waiting:
            self._watch()


def _channel(session: Session) -> Channel:
    if session.channel is None:
        raise ModeUnavailable("the session was not prepared for the pipelined mode")
    return session.channel


def require_standard_reset(connection: asyncpg.Connection) -> None:
    """Raise unless the connection's reset is one that ``interlock_session.hand_over()`` stands for.

    Raises:
        ModeUnavailable: the connection class or the server has another.

    """
    other = set(reset_statements(connection)) - _UNDONE
    if other:
        raise ModeUnavailable(f"the pipelined mode does not do this connection's own reset ({'; '.join(other)})")
