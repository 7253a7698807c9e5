"""Interlock: content-addressed proposals, gated emission, tenant scope, isolation as a property."""

from interlock._native import __version__
from interlock.errors import InterlockError

__all__ = ["InterlockError", "__version__"]
