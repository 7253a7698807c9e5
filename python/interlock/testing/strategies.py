"""What Hypothesis draws: the structure of a payload. Values are minted, so that draws never depend on a database."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

# Text that escapes differently in JSON, HTML, URLs, CSV and SQL; a canary stands before it.
SUFFIXES = ("", " x", "é", "'\"", "<b>&amp;", "%41\\u0041", ",;\t", "😀")


class Drawn:
    """Makes a schema's choices by drawing them; the simplest draw is everything present, once."""

    vary = True
    examples = False

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def include(self, name: str) -> bool:
        """Present first, absent second."""
        return self._data.draw(st.sampled_from((True, False)))

    def pick(self, options: list[Any]) -> Any:
        """Earlier options are simpler."""
        return self._data.draw(st.sampled_from(options))

    def size(self, low: int, high: int) -> int:
        """One element is simplest, where allowed."""
        sizes = sorted(range(low, high + 1), key=lambda size: (size != 1, size))
        return self._data.draw(st.sampled_from(sizes))

    def suffix(self) -> str:
        """Nothing is simplest."""
        return self._data.draw(st.sampled_from(SUFFIXES))
