"""Isolation as a property, the pytest plugin, the embedded PostgreSQL."""

from __future__ import annotations

import importlib

_HOME = {"EmbeddedPostgres": "interlock.testing.postgres"}

__all__ = ["EmbeddedPostgres"]


def __getattr__(name: str) -> object:
    """Import on first use: each name needs another extra."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
