"""How the scope gets into a session and out of it again: what the three modes have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

if TYPE_CHECKING:
    import asyncpg

    from interlock.tenancy.session import Session
    from interlock.tenancy.stats import Counters

ModeName: TypeAlias = Literal["auto", "merged", "pipelined", "transaction"]
MODE_NAMES: tuple[ModeName, ...] = ("auto", "merged", "pipelined", "transaction")


class SessionRefused(Exception):  # noqa: N818 - never leaves the package
    """The session holds what a reset cannot undo: close it and take another."""


class Mode:
    """Enters and leaves a scope on the sessions of one pool.

    Attributes:
        name: as given to ``create_tenant_pools``.
        transactional: the scope lasts one transaction, not one checkout.

    """

    name: ClassVar[ModeName]
    transactional: ClassVar[bool] = False

    def __init__(self, guc: str, counters: Counters) -> None:
        self.guc = guc
        self.counters = counters

    async def connected(self, session: Session) -> None:
        """Prepare a new session."""

    async def enter(self, session: Session, org: str) -> None:
        """Make ``org`` the session's tenant; the empty text makes it nobody's.

        Raises:
            SessionRefused: the session must be closed.

        """
        raise NotImplementedError

    async def enter_transaction(self, session: Session, org: str) -> None:
        """Make ``org`` the tenant of the transaction that was just begun."""

    async def leave(self, session: Session) -> None:
        """A checkout has ended: undo, or see to it that it is undone, what it left in the session."""
        raise NotImplementedError

    async def stop(self) -> None:
        """The pool is about to close."""


def reset_statements(connection: asyncpg.Connection) -> list[str]:
    """What brings a session back, beyond the rollback that asyncpg does itself.

    asyncpg's own reset leaves three things to the next checkout: the role (``RESET ALL`` does not touch it),
    temporary tables, which shadow real ones, and the values of sequences.
    """
    own = [statement.strip() for statement in connection.get_reset_query().split(";")]
    return ["RESET ROLE", *filter(None, own), "DISCARD TEMP", "DISCARD SEQUENCES"]
