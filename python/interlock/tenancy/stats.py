"""What the pools have counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Grows for as long as the pools live.

    Attributes:
        checkouts: connections handed out.
        resets_failed: sessions closed because what a checkout left could not be undone.
        preludes_failed: sessions closed because the scope could not be set.
        sessions_refused: sessions closed because of what no reset undoes: a statement prepared or dropped in SQL,
            another encoding, another codec for a type.

    """

    checkouts: int = 0
    resets_failed: int = 0
    preludes_failed: int = 0
    sessions_refused: int = 0


@dataclass(frozen=True, slots=True)
class PoolStats:
    """The state of one of the two pools.

    Attributes:
        role: the role its sessions run as.
        mode: how a scope gets into a session.
        size: open connections; ``idle`` of them are free.
        max_size: the most that may be open.

    """

    role: str
    mode: str
    size: int
    idle: int
    max_size: int
    checkouts: int
    resets_failed: int
    preludes_failed: int
    sessions_refused: int


@dataclass(frozen=True, slots=True)
class TenantPoolsStats:
    """Both pools, and their sums.

    Attributes:
        mode: of the tenant pool: ``"merged"``, ``"pipelined"`` or ``"transaction"``.
        mode_reason: why ``mode="auto"`` chose it; empty when it was asked for.

    """

    mode: str
    mode_reason: str
    tenant: PoolStats
    admin: PoolStats

    @property
    def checkouts(self) -> int:
        """Connections handed out."""
        return self.tenant.checkouts + self.admin.checkouts

    @property
    def resets_failed(self) -> int:
        """Sessions closed because what a checkout left could not be undone."""
        return self.tenant.resets_failed + self.admin.resets_failed

    @property
    def preludes_failed(self) -> int:
        """Sessions closed because the scope could not be set."""
        return self.tenant.preludes_failed + self.admin.preludes_failed

    @property
    def sessions_refused(self) -> int:
        """Sessions closed because of what no reset undoes."""
        return self.tenant.sessions_refused + self.admin.sessions_refused
