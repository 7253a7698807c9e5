"""Decides whether one more emission may happen: one line instead of eight million.

``fire_once`` for state transitions, ``should_emit`` and ``Gates`` for rates. Put the gate before the line, not in a
handler: ``if gate.allow(): logger.critical(...)`` costs a small fraction of a record that is made and then dropped.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

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
from interlock.gates.filter import GateFilter
from interlock.gates.summary import SummaryReporter

if TYPE_CHECKING:
    from interlock.gates.cluster import ClusterFireOnce
    from interlock.gates.otel import observe_gates
    from interlock.gates.sentry import sentry_before_send
    from interlock.gates.structlog import gate_processor

DEFAULT = DefaultEventBudget()
EVICTED = "<evicted>"

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_counts_after_fork)

# What needs an extra is imported when it is asked for.
_EXTRAS = {
    "ClusterFireOnce": "interlock.gates.cluster",
    "gate_processor": "interlock.gates.structlog",
    "observe_gates": "interlock.gates.otel",
    "sentry_before_send": "interlock.gates.sentry",
}


def __getattr__(name: str) -> object:
    if name not in _EXTRAS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_EXTRAS[name]), name)


__all__ = [
    "DEFAULT",
    "EVICTED",
    "ClusterFireOnce",
    "Decision",
    "EventTotals",
    "FireOnce",
    "Gate",
    "GateFilter",
    "GateStats",
    "Gates",
    "ManualClock",
    "SharedGates",
    "SummaryReporter",
    "Suppression",
    "Transition",
    "default_gates",
    "fire_once",
    "gate_processor",
    "observe_gates",
    "reset_fire_once",
    "sentry_before_send",
    "should_emit",
]
