"""The signature of one checkout's scope: made at the acquire, renewed before a statement when it is old."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from interlock.tenancy.seal import Key, seal

# A statement that starts this long before the expiry still ends before it, unless it runs longer than a minute.
RENEW_BEFORE = 60


@dataclass(frozen=True)
class Sealer:
    """Signs the scopes of a tamper-evident pool.

    Args:
        key: shared with the database.
        clock: seconds since the epoch.

    """

    key: Key
    clock: Callable[[], float] = time.time

    def seal(self, org: str) -> Seal:
        """Return the signature of one checkout, not yet made."""
        return Seal(self, org)


class Seal:
    """The signature of the scope of ``org`` in one session."""

    __slots__ = ("_expires_at", "_org", "_pid", "_sealer", "in_transaction")

    def __init__(self, sealer: Sealer, org: str) -> None:
        self._sealer = sealer
        self._org = org
        self._pid = 0
        self._expires_at = 0
        self.in_transaction = False

    def sign(self, pid: int = 0) -> str:
        """Sign for the backend ``pid``, or again for the one before."""
        self._pid = pid or self._pid
        text, self._expires_at = seal(self._sealer.key, self._pid, self._org, now=self._sealer.clock())
        return text

    def is_old(self, *, in_transaction: bool) -> bool:
        """Whether to sign again before the next statement.

        A signature that was set inside a transaction may have been rolled back with it.
        """
        rolled_back = self.in_transaction and not in_transaction
        return rolled_back or self._sealer.clock() >= self._expires_at - RENEW_BEFORE
