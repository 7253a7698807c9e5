"""Fires once over all hosts, through PostgreSQL: one statement a process and key, not one a request.

Each process asks PostgreSQL only when its own gate fires, and remembers the answer for a while. When PostgreSQL
cannot be asked, each process fires once for itself, and tells PostgreSQL later.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import asyncpg

from interlock.audit import write_system_audit
from interlock.gates import Gates, ManualClock
from interlock.tenancy.lane import SystemTransaction
from interlock.tenancy.system_statements import SystemStatement

if TYPE_CHECKING:
    from interlock.tenancy import TenantPools

logger = logging.getLogger(__name__)

V = TypeVar("V")

# Long enough for the short transaction of a rival, short enough for a request to wait.
_LOCK_WAIT = "100ms"
_UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Turn:
    """What a transition gives: true for the winner.

    Attributes:
        scope: ``"cluster"``, or ``"local"`` if PostgreSQL could not be asked; None for those who did not win.

    """

    def __init__(self, pools: TenantPools, scope: str | None, transaction: SystemTransaction | None = None) -> None:
        self._pools = pools
        self._transaction = transaction
        self.scope = scope

    def __bool__(self) -> bool:
        return self.scope is not None

    async def write_audit(
        self,
        *,
        action: str,
        actor: str | None = None,
        subject: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> UUID:
        """Write a system audit row, which stands or falls with the winner's turn."""
        return await write_system_audit(
            self._pools,
            action=action,
            actor=actor,
            subject=subject,
            details=details,
            transaction=self._transaction,
        )


class ClusterFireOnce:
    """Has one winner per key over all processes that share a database.

    A firing is one row and one epoch in PostgreSQL. A process that lost, or won, does not ask again for ``recheck``
    seconds, so that is how long another process's ``reset`` may take to be seen here.

    Args:
        pools: whose private lane to use.
        recheck: seconds after which a process asks again whether the key was reset.
        timeout: seconds to wait for PostgreSQL before firing for this process alone.
        max_keys: how many keys a process remembers; beyond it, PostgreSQL is asked for each call.
        clock: for tests; see :class:`~interlock.gates.Gates`.

    """

    def __init__(
        self,
        pools: TenantPools,
        *,
        recheck: float = 60.0,
        timeout: float = 1.0,
        max_keys: int = 4096,
        clock: ManualClock | None = None,
    ) -> None:
        self._pools = pools
        self._timeout = timeout
        self._gate = Gates(max_keys=max_keys, clock=clock).fire_once("cluster", ttl=recheck)
        self._epochs: _Recent[int | None] = _Recent(max_keys)
        # Fired for this process alone, and not yet known to PostgreSQL.
        self._unconfirmed: _Recent[bool] = _Recent(max_keys)
        # Reset while PostgreSQL was away: the epoch to reset when it is back.
        self._resets: _Recent[int | None] = _Recent(max_keys)
        self._away = False

    async def fire(self, key: str) -> bool:
        """Whether this call is the one that fires ``key``. Never raises because PostgreSQL is away."""
        async with self.transition(key) as turn:
            return bool(turn)

    def transition(self, key: str) -> ClusterTransition:
        """``async with cluster.transition(key) as turn:``: true for the winner, in whose body the row is still open.

        If the body raises or is cancelled, the row is rolled back and another process may win; this one tries again
        after a pause of 1 s, doubling to 60 s. Keep the body short: who asks meanwhile waits 100 ms for it.
        """
        return ClusterTransition(self, key)

    async def reset(self, key: str) -> bool:
        """Let ``key`` fire again; whether it had fired. While PostgreSQL is away, it is reset there later."""
        fired_here = self._gate.reset(key)
        unconfirmed = self._unconfirmed.pop(key, False)
        epoch = self._epochs.pop(key, None)
        try:
            async with asyncio.timeout(self._timeout):
                reset = await self._pools.lane.fetchval(SystemStatement.RESET_FIRED, key, epoch)
        except _UNREACHABLE as error:
            self._say_away(error)
            self._resets[key] = epoch
            return bool(fired_here or unconfirmed)
        self._say_back()
        return reset is not None

    def suppressed(self, key: str) -> int:
        """How many calls this process answered without asking PostgreSQL, since that was last reported."""
        return self._gate.suppressed(key)

    @asynccontextmanager
    async def _asked(self, key: str) -> AsyncGenerator[tuple[bool, SystemTransaction]]:
        """Ask PostgreSQL in a transaction that is open until the block ends: whether this process has won."""
        async with self._pools.lane.transaction() as transaction:
            await transaction.fetchval(SystemStatement.LIMIT_LOCK_WAIT, _LOCK_WAIT)
            if key in self._resets:
                await transaction.fetchval(SystemStatement.RESET_FIRED, key, self._resets[key])
            epoch = await transaction.fetchval(SystemStatement.FIRE_ONCE, key)
            won = epoch is not None
            if not won:
                epoch = await transaction.fetchval(SystemStatement.READ_FIRED_EPOCH, key)
            yield won, transaction
        self._resets.pop(key, None)
        self._epochs[key] = epoch

    def _say_away(self, error: BaseException) -> None:
        if not self._away:
            self._away = True
            reason = f"{type(error).__name__}: {error}"
            logger.warning("fire-once: PostgreSQL cannot be asked (%s): once per process until it can", reason)

    def _say_back(self) -> None:
        if self._away:
            self._away = False
            logger.warning("fire-once: PostgreSQL answers again: once per cluster")


class ClusterTransition:
    """One attempt to be the winner; an async context manager."""

    def __init__(self, cluster: ClusterFireOnce, key: str) -> None:
        self._cluster = cluster
        self._key = key
        self._here = cluster._gate.transition(key)
        self._stack = AsyncExitStack()
        self._turn = Turn(cluster._pools, None)

    async def __aenter__(self) -> Turn:
        if self._here.__enter__():
            try:
                self._turn = await self._ask()
            except BaseException as error:
                self._here.__exit__(type(error), error, error.__traceback__)
                raise
        return self._turn

    async def _ask(self) -> Turn:
        cluster, key = self._cluster, self._key
        try:
            async with asyncio.timeout(cluster._timeout):
                won, transaction = await self._stack.enter_async_context(cluster._asked(key))
                if not won or key in cluster._unconfirmed:
                    await self._stack.aclose()
        except asyncpg.LockNotAvailableError:
            return self._wait_for_rival()
        except _UNREACHABLE as error:
            cluster._say_away(error)
            return self._fire_alone()
        cluster._say_back()
        if not won or cluster._unconfirmed.pop(key, False):
            self._here.__exit__(None, None, None)
            return Turn(cluster._pools, None)
        return Turn(cluster._pools, "cluster", transaction)

    def _wait_for_rival(self) -> Turn:
        # A rival is in its body. If that fails, the turn is ours after the pause.
        self._here.fail()
        return Turn(self._cluster._pools, None)

    def _fire_alone(self) -> Turn:
        if self._key in self._cluster._unconfirmed:
            self._here.fail()
            return Turn(self._cluster._pools, None)
        return Turn(self._cluster._pools, "local")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._turn.scope == "local":
            if kind is None:
                self._cluster._unconfirmed[self._key] = True
            self._here.fail()  # to tell PostgreSQL when it is back, or to try again
        elif self._turn.scope == "cluster":
            try:
                await self._stack.__aexit__(kind, error, trace)
            except BaseException as failure:
                self._here.__exit__(type(failure), failure, failure.__traceback__)
                raise
            self._here.__exit__(kind, error, trace)


class _Recent(OrderedDict[str, V]):
    """The latest entries of a map, at most so many."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def __setitem__(self, key: str, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._room:
            self.popitem(last=False)
