"""One action somebody wants done, identified by what it would do."""

from __future__ import annotations

from typing import Final

from interlock._native import CANON_VERSION as _CANON_VERSION
from interlock._native import MAX_PAYLOAD_BYTES as _MAX_PAYLOAD_BYTES
from interlock._native import Proposal

__all__ = ["CANON_VERSION", "MAX_PAYLOAD_BYTES", "Proposal"]

CANON_VERSION: Final[int] = _CANON_VERSION
"""Raised by a release that changes a canonical form: rows in flight are then compared under both."""

MAX_PAYLOAD_BYTES: Final[int] = _MAX_PAYLOAD_BYTES
"""The most bytes that the canonical form of a payload and of its context may have together."""
