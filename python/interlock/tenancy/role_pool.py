"""One of the two pools: asyncpg's, with a mode that brings each session into its scope and out again."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import asyncpg

from interlock.errors import PoolExhausted
from interlock.tenancy.chaining import alone, put_behind
from interlock.tenancy.checkout import Checkout, ended_by_the_server
from interlock.tenancy.connection import TenantConnection
from interlock.tenancy.modes import Mode, SessionRefused
from interlock.tenancy.releasing import give_back, is_at_rest
from interlock.tenancy.resting import Resting
from interlock.tenancy.session import Session, run_unscoped, session_of, tracked
from interlock.tenancy.stats import PoolStats
from interlock.tenancy.turns import Turns

if TYPE_CHECKING:
    from interlock.tenancy.roles import Identity
    from interlock.tenancy.scope import TenantContext
    from interlock.tenancy.sealing import Sealer

_SESSION_SETTINGS = (
    "SELECT name, setting FROM pg_settings WHERE source = 'session' AND setting IS DISTINCT FROM reset_val"
)

# What create_pool takes and connect does not.
_OF_THE_POOL = {"min_size", "max_size", "max_queries", "max_inactive_connection_lifetime", "loop"}

Vet = Callable[[asyncpg.Connection], Coroutine[Any, Any, "Identity"]]


class RolePool:
    """The pool of one login role.

    Args:
        dsn: where to log in.
        options: asyncpg's, of the pool and of the connection.
        mode: how a scope gets into a session.
        vet: looks at each new connection, and raises if its role is not the one the pool is for.
        sealer: signs the scopes of a tamper-evident pool.

    """

    def __init__(self, dsn: str, options: dict[str, Any], mode: Mode, vet: Vet, sealer: Sealer | None = None) -> None:
        self.mode = mode
        self.counters = mode.counters
        self._sealer = sealer
        self._vet = vet
        self._role = ""
        options = dict(options)
        self._user_setup = options.pop("setup", None)
        self._user_init = options.pop("init", None)
        self._user_reset = options.pop("reset", None)
        self._user_connect = options.pop("connect", None) or asyncpg.connect
        self._login = dsn, {name: value for name, value in options.items() if name not in _OF_THE_POOL}
        connection_class = tracked(options.pop("connection_class", asyncpg.Connection))
        self._pool = asyncpg.create_pool(
            dsn,
            connection_class=connection_class,
            connect=self._connect,
            init=self._init,
            reset=self._reset,
            **options,
        )
        self._max_size = self._pool.get_max_size()
        self._turns = Turns(self._max_size)
        self._resting = Resting(self._end_rest)
        self._asking = 0  # checkouts that wait in asyncpg's pool
        self._closing = False

    async def open(self) -> None:
        """Connect as many sessions as the options ask for."""
        await self._pool

    def checkout(
        self, frame: TenantContext | None, timeout: float | None = None
    ) -> Coroutine[Any, Any, TenantConnection]:
        """Take a session and bring it into the scope of ``frame``; without one it is the private lane's.

        Raises:
            PoolExhausted: no session was free, or ready, within ``timeout`` seconds.
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError: the session could not be brought into the scope;
                it is closed.

        """
        return self._checkout(frame) if timeout is None else self._checkout_within(timeout, frame)

    async def _checkout_within(self, timeout: float, frame: TenantContext | None) -> TenantConnection:
        try:
            async with asyncio.timeout(timeout) as limit:
                return await self._checkout(frame)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise PoolExhausted(
                f"no connection of the {self._role} pool was ready within {timeout} s: all "
                f"{self._max_size} may be in use. Release earlier, or raise max_size"
            ) from error

    async def _checkout(self, frame: TenantContext | None) -> TenantConnection:
        if self.mode.unreported:
            self.mode.unreported -= 1
            raise asyncpg.ConnectionDoesNotExistError(
                "a session could not be reset after its last use and was closed, see stats().resets_failed: try again"
            )
        proxy = None if self._turns.begin() else await self._wait()
        try:
            while True:
                if proxy is None:
                    proxy = self._resting.take()
                if proxy is None:
                    proxy = await self._acquire()
                elif not is_at_rest(proxy):
                    # It ended, or was expired, on its way or at rest. Its network may be down: nobody waits for it.
                    _terminate(proxy)
                    proxy = None
                    continue
                try:
                    connection = await self._bring_in(proxy, frame)
                except SessionRefused:
                    self.counters.sessions_refused += 1
                    proxy = None
                    continue
                session = connection._checkout.session
                session.has_turn = True
                if session.connection.is_closed():
                    self._ended(session)
                return connection
        except BaseException:
            self._turns.end()
            raise

    async def _acquire(self) -> Any:
        self._asking += 1
        try:
            return await self._pool.acquire()
        finally:
            self._asking -= 1

    async def _wait(self) -> Any:
        """Wait for a turn, and maybe a session with it."""
        if self._pool.is_closing():
            await self._pool.acquire()  # which says so
        waiter = self._turns.wait()
        try:
            return await waiter
        except BaseException as error:
            # The turn may have come with the cancellation.
            if waiter.done() and not waiter.cancelled():
                try:
                    await self._decline(waiter.result())
                except Exception as failure:  # noqa: BLE001 - told behind the error that is on its way
                    put_behind(error, failure)
            raise

    async def _decline(self, proxy: Any) -> None:
        if proxy is None:
            self._turns.end()
        else:
            await self._put_back(proxy, None, has_turn=True)

    async def _bring_in(self, proxy: Any, frame: TenantContext | None) -> TenantConnection:
        try:
            session = session_of(proxy)
            session.in_use = True
            checkout = Checkout(self.mode, session, proxy, frame, self._sealer)
            await checkout.enter()
            connection = TenantConnection(checkout)
            if self._user_setup is not None:
                await self._user_setup(connection)
                # It has set them for every checkout alike.
                session.has_other_codecs = False
        except BaseException as error:
            _terminate(proxy)
            self.counters.preludes_failed += not isinstance(error, asyncio.CancelledError | SessionRefused)
            if isinstance(error, asyncpg.InternalClientError):
                raise ended_by_the_server() from error
            raise
        self.counters.checkouts += 1
        return connection

    async def open_apart(self) -> asyncpg.Connection:
        """Log in outside the pool, for what a reset would undo. The caller closes the connection."""
        connection = await self._connect(self._login[0], **self._login[1])
        try:
            await run_unscoped(self._vet(connection))
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def open_like_pooled(self) -> asyncpg.Connection:
        """Log in outside the pool, with what the user's ``init`` does to every session of it."""
        connection = await self.open_apart()
        if self._user_init is not None:
            try:
                await run_unscoped(self._user_init(connection))
            except BaseException:
                connection.terminate()
                raise
        return connection

    def lent(self, connection: TenantConnection) -> bool:
        """Whether the connection was taken from this pool."""
        return isinstance(connection, TenantConnection) and connection._checkout.mode is self.mode

    async def release(self, connection: TenantConnection, timeout: float | None = None) -> None:
        """Take a session back; the second time it does nothing.

        Raises:
            asyncpg.InterfaceError: an operation is still under way on it; the session is closed.

        """
        proxy = connection._loan_ends()
        if proxy is None:
            return
        session = connection._checkout.session
        # It has none any more if the session has ended.
        has_turn, session.has_turn = session.has_turn, False
        if connection._checkout.sending:
            self.counters.resets_failed += 1
            if has_turn:
                self._turns.end()
            _terminate(proxy)
            raise asyncpg.InterfaceError(
                "the connection was released while an operation was in progress on it, and is closed: await the "
                "operation first"
            )
        await self._put_back(proxy, timeout, has_turn=has_turn)

    async def _put_back(self, proxy: Any, timeout: float | None, *, has_turn: bool) -> None:
        try:
            # Whoever waits in asyncpg's pool, as while a login takes its time, came before.
            ready = has_turn and timeout is None and not self._asking and self._left_ready(proxy)
            if ready and self._turns.is_awaited():
                has_turn = False
                self._turns.pass_on(proxy)
            elif ready and not self._closing:
                self._resting.keep(proxy)
            else:
                await self._give_back(proxy, timeout)
        finally:
            if has_turn:
                self._turns.end()

    async def _end_rest(self, proxy: Any) -> None:
        if is_at_rest(proxy):
            await self._give_back(proxy, None)
        else:
            _terminate(proxy)

    async def _give_back(self, proxy: Any, timeout: float | None) -> None:
        # The pool may have taken back the slot of a session that ended just now, before the proxy knows.
        with contextlib.suppress(asyncpg.InternalClientError):
            await give_back(self._pool, proxy, timeout)

    def _left_ready(self, proxy: Any) -> bool:
        """End the session's use, and say whether the next may follow, because asyncpg's pool need not see it."""
        if self._user_reset is not None or not is_at_rest(proxy):
            return False
        connection = proxy._con
        connection._on_release()
        self._leave(connection)
        return not connection.is_closed()

    # --- asyncpg's callbacks: they run in the context of whoever comes by, and must not see it

    async def _connect(self, *args: Any, **options: Any) -> asyncpg.Connection:
        connecting: Awaitable[asyncpg.Connection] = self._user_connect(*args, **options)
        del args, options
        opened: list[asyncpg.Connection] = []

        async def connect() -> None:
            opened.append(await connecting)

        try:
            await run_unscoped(connect())
        except asyncio.CancelledError:
            # It may have come when the session was ready and on its way: nobody else would close it then.
            for connection in opened:
                connection.terminate()
            raise
        except Exception as error:  # noqa: BLE001 - raised again, by itself
            raise alone(error) from None
        finally:
            # Cancelled before its first step, as when the pool is closed, the task has not begun to await it.
            if inspect.iscoroutine(connecting):
                connecting.close()
        return opened[0]

    async def _init(self, connection: asyncpg.Connection) -> None:
        await run_unscoped(self._prepare(connection))

    async def _prepare(self, connection: asyncpg.Connection) -> None:
        who = await self._vet(connection)
        self._role = who.role
        session = Session(connection, who.pid)
        connection.interlock_session = session  # type: ignore[attr-defined] # see tracked()
        if self._user_init is not None:
            await self._user_init(connection)
            session.settings = tuple(
                (row["name"], row["setting"]) for row in await connection.fetch(_SESSION_SETTINGS)
            )
        await self.mode.connected(session)
        connection.add_termination_listener(lambda _: self._ended(session))

    async def _reset(self, connection: asyncpg.Connection) -> None:
        if self._user_reset is not None:
            try:
                await run_unscoped(self._user_reset(connection))
            except BaseException:
                self.counters.resets_failed += 1
                raise
        self._leave(connection)

    def _leave(self, connection: asyncpg.Connection) -> None:
        session: Session = connection.interlock_session  # type: ignore[attr-defined]
        if not session.in_use:
            return  # it comes from those who rest, or from one who waited
        session.in_use = False
        if session.misses_statement or session.has_other_codecs:
            self.counters.sessions_refused += 1
            connection.terminate()
            return
        try:
            self.mode.leave(session)
        except BaseException:
            self.counters.resets_failed += 1
            connection.terminate()
            raise

    def _ended(self, session: Session) -> None:
        """Let the pool replace a session at once, even if its checkout never ends."""
        if session.has_turn:
            session.has_turn = False
            self._turns.end()

    # --- life

    async def expire(self) -> None:
        """Replace every session at its next release or acquire."""
        await self._pool.expire_connections()

    def terminate(self) -> None:
        """Close every session at once."""
        self._closing = True
        self._pool.terminate()

    async def close(self) -> None:
        """Wait for every checkout to end, then close every session."""
        self._closing = True
        try:
            await self.mode.stop()
            await self._resting.end()
        except BaseException:
            # As asyncpg's own close() does.
            self._pool.terminate()
            raise
        await self._pool.close()

    def stats(self) -> PoolStats:
        """What was counted, and how full the pool is."""
        counted = self.counters
        return PoolStats(
            role=self._role,
            mode=self.mode.name,
            size=self._pool.get_size(),
            idle=self._pool.get_idle_size() + sum(map(is_at_rest, self._resting)),
            max_size=self._max_size,
            checkouts=counted.checkouts,
            resets_failed=counted.resets_failed,
            preludes_failed=counted.preludes_failed,
            sessions_refused=counted.sessions_refused,
        )


def _terminate(proxy: Any) -> None:
    # A session that the server has ended left the pool by itself, and its proxy with it.
    with contextlib.suppress(asyncpg.InterfaceError):
        proxy.terminate()
