"""Keeps what was found, and ends questions that lead back to themselves."""

from __future__ import annotations

from collections.abc import Callable


class Memo:
    """Answers of the outermost questions are kept; within one, nothing is looked at twice.

    That ends cycles, and bounds the cost of a question by the size of what it can reach. What an inner question found
    is not kept: cut off by a cycle, it may not be all there is to find.
    """

    def __init__(self) -> None:
        # What a name stands for has the id of its node as the key; what type a value has, that id's complement.
        self.kept: dict[int, str | None] = {}
        self._open: dict[int, str | None] | None = None

    def answer(self, key: int, hops: int, find: Callable[[], str | None]) -> str | None:
        """Return the answer to ``key``, found by ``find`` unless it is known; ``hops`` is 0 for a new question."""
        if key in self.kept:
            return self.kept[key]
        if self._open is not None and hops:
            if key not in self._open:
                self._open[key] = None
                self._open[key] = find()
            return self._open[key]
        before, self._open = self._open, {key: None}
        try:
            self.kept[key] = find()
        finally:
            self._open = before
        return self.kept[key]

    def forget(self) -> None:
        """Drop everything, when more has become known."""
        self.kept.clear()
