"""One checkout: which frame may use which connection, from the acquire to the release."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import asyncpg

from interlock.errors import TransactionRequired
from interlock.tenancy.modes import Mode, SessionRefused
from interlock.tenancy.scope import TenantContext, frame_allows

if TYPE_CHECKING:
    from interlock.tenancy.sealing import Sealer
    from interlock.tenancy.session import Session

# As asyncpg names its statements.
_DRIVERS = "__asyncpg_"


def ended_by_the_server() -> asyncpg.ConnectionDoesNotExistError:
    """Return the error for a session whose farewell came between two statements."""
    return asyncpg.ConnectionDoesNotExistError("the server ended the session while it was idle: try again")


class Checkout:
    """A connection on loan to the frame it was acquired in.

    Attributes:
        mode: how the scope gets into the session.
        frame: the frame; None for Interlock's private lane, which has none.
        seal: the signed scope of a tamper-evident pool, renewed before a statement when it is old.
        sending: how many of the connection's operations are under way.

    """

    __slots__ = ("_in_scope", "_proxy", "frame", "mode", "seal", "sending", "session")

    def __init__(
        self, mode: Mode, session: Session, proxy: Any, frame: TenantContext | None, sealer: Sealer | None
    ) -> None:
        self.mode = mode
        self._proxy = proxy
        self.session = session
        self.frame = frame
        self.seal = sealer.seal(self.org_text) if sealer is not None else None
        self.sending = 0
        self._in_scope = False  # the latest transaction was begun with the scope in it

    @property
    def connection(self) -> asyncpg.Connection:
        """The connection itself, unguarded.

        Raises:
            asyncpg.InterfaceError: it was released; by now another tenant may be using it.

        """
        if self._proxy is None:
            raise asyncpg.InterfaceError("the connection has been released back to the pool: acquire another")
        return self.session.connection

    @property
    def released(self) -> bool:
        """Whether the loan is over."""
        return self._proxy is None

    def permit(self, *, begins: bool = False) -> None:
        """Raise unless the current scope may send something over this connection now.

        Args:
            begins: what is sent opens a transaction of :class:`GuardedTransaction`.

        """
        if self._proxy is None:
            raise asyncpg.InterfaceError("the connection has been released back to the pool: acquire another")
        if self.frame is not None:
            frame_allows(self.frame)
        if self.mode.transactional and not begins and not self._in_scoped_transaction():
            raise TransactionRequired(
                "behind a pooler a scope lasts one transaction: put the statement in `async with "
                "pools.transaction() as connection:` or `async with connection.transaction():`"
            )

    async def send(
        self,
        operation: Callable[..., Awaitable[Any]],
        args: tuple[Any, ...],
        options: dict[str, Any],
        *,
        begins: bool = False,
    ) -> Any:
        """Run an operation of the connection, if the current scope may; everything that is sent comes through here."""
        self.permit(begins=begins)
        self.sending += 1
        try:
            if self.seal is not None:
                await self.renew_seal()
                # The loan, or the scope, may have ended meanwhile.
                self.permit(begins=begins)
            return await operation(*args, **options)
        except asyncpg.InvalidSQLStatementNameError as error:
            # Dropped in SQL, behind the driver's back, maybe by an earlier user; it would miss it every time.
            self.session.misses_statement = True
            if self.mode.transactional or _DRIVERS not in str(error):
                raise
            raise self._refused("session misses a statement that was dropped in SQL") from error
        except asyncpg.InternalClientError as error:
            if not self.session.connection.is_closed():
                raise
            raise ended_by_the_server() from error
        finally:
            self.sending -= 1

    def surrender(self) -> Any:
        """End the loan and return what the pool takes back; None the second time."""
        proxy, self._proxy = self._proxy, None
        return proxy

    def enter(self) -> Awaitable[None]:
        """Set the scope in the session."""
        seal = "" if self.seal is None or self.mode.transactional else self.seal.sign(self.session.pid)
        return self.mode.enter(self.session, self.org_text, seal)

    async def reset(self, timeout: float | None) -> None:
        """Reset the session as between two checkouts, and set the scope again.

        Raises:
            asyncpg.ConnectionDoesNotExistError: it held what no reset undoes, and was closed.

        """
        await self.send(self.connection.reset, (), {"timeout": timeout})
        self.mode.leave(self.session)
        try:
            await self.enter()
        except SessionRefused:
            raise self._refused("session held a statement prepared in SQL") from None

    def _refused(self, why: str) -> asyncpg.ConnectionDoesNotExistError:
        """Close and count the session; return what to tell of it."""
        self.give_up()
        self.mode.counters.sessions_refused += 1
        return asyncpg.ConnectionDoesNotExistError(
            f"the {why} and was closed, see stats().sessions_refused: try again"
        )

    @property
    def org_text(self) -> str:
        """The canonical org id; empty for a frame that belongs to no tenant."""
        return (self.frame is not None and self.frame.org_text) or ""

    async def renew_seal(self) -> None:
        """Sign the scope again if the signature is about to lapse."""
        if self.seal is None or (self.mode.transactional and not self._in_scoped_transaction()):
            return
        if self.connection.is_closed():
            return  # which the statement behind this says
        in_transaction = self.connection.is_in_transaction()
        if not self.seal.is_old(in_transaction=in_transaction):
            return
        try:
            await self.mode.renew(self.session, self.seal.sign())
            self.seal.in_transaction = in_transaction
        except asyncpg.InFailedSQLTransactionError:
            # The statement behind this can only be the rollback, which needs no scope.
            self.seal.in_transaction = True

    async def begin(self, start: Callable[[], Awaitable[None]], options: Mapping[str, Any]) -> None:
        """Start a transaction or a savepoint; with a pooler in between, the transaction carries the scope.

        Args:
            start: the driver's.
            options: what the transaction was made with.

        Raises:
            asyncpg.ConnectionDoesNotExistError: the pooled session held what no reset undoes, and was closed.

        """
        carries = self.mode.transactional and not self.connection.is_in_transaction()
        if carries:
            self._in_scope = False
        await self.send(start, (), {}, begins=True)
        if carries:
            try:
                await self.mode.enter_transaction(self.session, self.org_text, self.seal, options)
            except SessionRefused:
                raise self._refused("pooled session held a statement prepared in SQL") from None
            except BaseException as error:
                # A transaction without its scope is open: nobody shall use it.
                self.give_up()
                if isinstance(error, asyncpg.InternalClientError):
                    raise ended_by_the_server() from error
                raise
            self._in_scope = True

    def give_up(self) -> None:
        """Close the session, unless the loan is over and it may be somebody else's."""
        if self._proxy is not None:
            self.session.connection.terminate()

    def _in_scoped_transaction(self) -> bool:
        # The driver knows it from the server's last answer, whichever statement ended the transaction.
        return self._in_scope and self.session.connection.is_in_transaction()
