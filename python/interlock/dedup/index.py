"""Proposals in flight in one process, without a database."""

from interlock._native import DedupIndex

__all__ = ["DedupIndex"]
