"""Isolation as a property, the pytest plugin, the embedded PostgreSQL."""

from __future__ import annotations

import importlib

_HOME = {
    "AsgiClient": "interlock.testing.client",
    "EmbeddedPostgres": "interlock.testing.postgres",
    "IsolationHarness": "interlock.testing.harness",
    "Layer": "interlock.testing.layers",
    "Leak": "interlock.testing.verdicts",
    "Report": "interlock.testing.report",
    "Shared": "interlock.testing.verdicts",
    "TenantStateMachine": "interlock.testing.stateful",
    "Vacuous": "interlock.testing.verdicts",
    "Verdict": "interlock.testing.verdicts",
    "isolation_property": "interlock.testing.harness",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    """Import on first use: each name needs another extra."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
