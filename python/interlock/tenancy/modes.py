"""How the scope gets into a session and out of it again: what the three modes have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import asyncpg

from interlock.tenancy.seal import SETTING

if TYPE_CHECKING:
    from interlock.tenancy.sealing import Seal
    from interlock.tenancy.session import Session
    from interlock.tenancy.stats import Counters

ModeName: TypeAlias = Literal["auto", "merged", "pipelined", "transaction"]
MODE_NAMES: tuple[ModeName, ...] = ("auto", "merged", "pipelined", "transaction")


OWN_SETTING = "app.current_org_id"
"""What the policies of Interlock's own tables read."""

# What a session that is broken raises. The last is the driver's when it reads the server's farewell between two
# statements, as after a timeout for idle sessions.
BROKEN = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, asyncpg.InternalClientError)


class SessionRefused(Exception):  # noqa: N818 - never leaves the package
    """The session holds what a reset cannot undo: close it and take another."""


class Mode:
    """Enters and leaves a scope on the sessions of one pool.

    Attributes:
        name: as given to ``create_tenant_pools``.
        guc: the setting that the application's policies read.
        settings: all that hold the org: that one, and the one of Interlock's own tables.
        transactional: the scope lasts one transaction, not one checkout.
        unreported: sessions that were lost while nobody used them; the next checkout tells.

    """

    name: ClassVar[ModeName]
    transactional: ClassVar[bool] = False

    def __init__(self, guc: str, counters: Counters) -> None:
        self.guc = guc
        self.settings = tuple(dict.fromkeys((guc, OWN_SETTING)))
        self.counters = counters
        self.unreported = 0

    async def connected(self, session: Session) -> None:
        """Prepare a new session."""

    async def enter(self, session: Session, org: str, seal: str) -> None:
        """Make ``org`` the session's tenant; the empty text makes it nobody's.

        Args:
            session: just taken from the pool.
            org: canonical text of the org id.
            seal: its signature in this session; empty without ``tamper_evident``.

        Raises:
            SessionRefused: the session must be closed.

        """

    async def enter_transaction(
        self, session: Session, org: str, seal: Seal | None, options: Mapping[str, Any]
    ) -> None:
        """Make ``org`` the tenant of the transaction that was just begun with ``options``.

        Raises:
            SessionRefused: the session must be closed.

        """

    async def renew(self, session: Session, seal: str) -> None:
        """Put a fresh signature in the place of one that is about to lapse."""
        local = "true" if self.transactional else "false"
        await session.connection.execute(f"SELECT pg_catalog.set_config('{SETTING}', $1, {local})", seal)

    def leave(self, session: Session) -> None:
        """A checkout has ended: undo, or see to it that it is undone, what it left in the session."""

    async def stop(self) -> None:
        """The pool is about to close."""


def reset_statements(connection: asyncpg.Connection) -> list[str]:
    """What brings a session back, beyond the rollback that asyncpg does itself.

    asyncpg's own reset leaves three things to the next checkout: the role (``RESET ALL`` does not touch it),
    temporary tables, which shadow real ones, and the values of sequences. ``RESET ALL`` comes early, so that no
    timeout of the last user bears on the rest.
    """
    own = [statement.strip() for statement in connection.get_reset_query().split(";")]
    rest = [statement for statement in own if statement not in ("", "RESET ALL")]
    return ["RESET ALL", "RESET ROLE", *rest, "DISCARD TEMP", "DISCARD SEQUENCES"]
