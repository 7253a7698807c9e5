"""The states of a proposal and what may follow what."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from interlock.errors import UnknownState


class LifecycleState(StrEnum):
    """Where a proposal stands. In-flight states hold its content; terminal states are absorbing."""

    PENDING = "pending"
    EXECUTING = "executing"
    INTERRUPTED = "interrupted"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def in_flight(self) -> bool:
        """Whether a proposal in this state suppresses equal ones."""
        return self in IN_FLIGHT_STATES

    def may_become(self, later: LifecycleState) -> bool:
        """Whether the lifecycle has the transition from this state to ``later``."""
        return later in TRANSITIONS[self]

    @classmethod
    def of(cls, state: LifecycleState | str) -> LifecycleState:
        """Return the state of that name.

        Raises:
            UnknownState: there is none.

        """
        try:
            return cls(state)
        except ValueError:
            raise UnknownState(
                f"no such state: {str(state)[:40]!r}: it is one of {', '.join(cls)}", state=str(state)
            ) from None


PROPOSAL_LIFECYCLE_STATES: tuple[LifecycleState, ...] = tuple(LifecycleState)

IN_FLIGHT_STATES: tuple[LifecycleState, ...] = (
    LifecycleState.PENDING,
    LifecycleState.EXECUTING,
    LifecycleState.INTERRUPTED,
)

TERMINAL_STATES: tuple[LifecycleState, ...] = tuple(state for state in LifecycleState if state not in IN_FLIGHT_STATES)

# A retry is a new proposal: a row that re-entered the in-flight set could collide with its own successor.
TRANSITIONS: Mapping[LifecycleState, frozenset[LifecycleState]] = MappingProxyType(
    {
        LifecycleState.PENDING: frozenset(
            {LifecycleState.EXECUTING, LifecycleState.CANCELLED, LifecycleState.EXPIRED}
        ),
        LifecycleState.EXECUTING: frozenset(
            {LifecycleState.COMPLETED, LifecycleState.FAILED, LifecycleState.INTERRUPTED}
        ),
        LifecycleState.INTERRUPTED: frozenset(
            {LifecycleState.EXECUTING, LifecycleState.FAILED, LifecycleState.CANCELLED}
        ),
        **{state: frozenset() for state in TERMINAL_STATES},
    }
)
