"""Decides whether one more emission may happen: one line instead of eight million.

``fire_once`` for state transitions, ``should_emit`` and ``Gates`` for rates. Put the gate before the line, not in a
handler: ``if gate.allow(): logger.critical(...)`` costs a small fraction of a record that is made and then dropped.
"""

from __future__ import annotations

import os

from interlock._native import (
    Decision,
    DefaultEventBudget,
    EventTotals,
    FireOnce,
    Gate,
    Gates,
    GateStats,
    ManualClock,
    SharedGates,
    Suppression,
    Transition,
    default_gates,
    fire_once,
    forget_counts_after_fork,
    reset_fire_once,
    should_emit,
)

DEFAULT = DefaultEventBudget()
EVICTED = "<evicted>"

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_counts_after_fork)

__all__ = [
    "DEFAULT",
    "EVICTED",
    "Decision",
    "EventTotals",
    "FireOnce",
    "Gate",
    "GateStats",
    "Gates",
    "ManualClock",
    "SharedGates",
    "Suppression",
    "Transition",
    "default_gates",
    "fire_once",
    "reset_fire_once",
    "should_emit",
]
