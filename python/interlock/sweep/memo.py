"""Keeps what was found, and ends questions that lead back to themselves."""

from __future__ import annotations

from collections.abc import Callable, Hashable


class Memo:
    """Answers of the outermost questions are kept; within one, nothing is looked at twice.

    That ends cycles, and bounds the cost of a question by the size of what it can reach. What an inner question found
    is not kept: cut off by a cycle, it may not be all there is to find.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, str | None] = {}
        self._open: dict[Hashable, str | None] | None = None

    def answer(self, key: Hashable, hops: int, find: Callable[[], str | None]) -> str | None:
        """Return the answer to ``key``, found by ``find`` unless it is known; ``hops`` is 0 for a new question."""
        if key in self._kept:
            return self._kept[key]
        if self._open is not None and hops:
            if key not in self._open:
                self._open[key] = None
                self._open[key] = find()
            return self._open[key]
        before, self._open = self._open, {key: None}
        try:
            self._kept[key] = find()
        finally:
            self._open = before
        return self._kept[key]

    def forget(self) -> None:
        """Drop everything, when more has become known."""
        self._kept.clear()
