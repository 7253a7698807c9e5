"""Text that matches a pattern: by a canary or a common form where one does, else put together from its syntax tree."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import lru_cache
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as sre_parser  # type: ignore[attr-defined]
from typing import Any

from interlock.testing.moments import moment

MAX_REPEATS, ATTEMPTS = 8, 40
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"
_PLAIN = _LETTERS + _LETTERS.upper() + _DIGITS
_CATEGORIES = {sre.CATEGORY_DIGIT: _DIGITS, sre.CATEGORY_WORD: _PLAIN, sre.CATEGORY_SPACE: " "}


def matching(pattern: str, text: str, low: int = 0, high: int | None = None) -> str:
    """A text of ``low`` to ``high`` characters that matches: ``text`` in another case or cut, if that does.

    Another ``text`` gives another result, as far as the pattern leaves room, so that what must be unique is.
    """

    def fits(candidate: str) -> bool:
        right = low <= len(candidate) and (high is None or len(candidate) <= high)
        return right and re.search(pattern, candidate) is not None

    for candidate in _common(text, high):
        if fits(candidate):
            return candidate
    source = random.Random(text)
    for _ in range(ATTEMPTS):
        candidate = _written(_parsed(pattern), source)
        if fits(candidate):
            return candidate
    return _from_regex(pattern)


def is_decimal(pattern: str) -> bool:
    """Whether the pattern is that of an amount such as ``12.50``, and not of any text."""
    return re.search(pattern, "12.50") is not None and re.search(pattern, "a12b50") is None


def _common(text: str, high: int | None) -> tuple[str, ...]:
    unique = str(int.from_bytes(text[-10:].encode(), "big"))[-9:]
    letters = re.sub(r"[^a-z]", "", text)[-5:]
    day = moment("query", "", 0, "date")
    whole = (text.upper(), text.capitalize(), text[:high], "a" + text[1:])
    words = (letters, letters.upper(), letters[:3].upper(), letters[:2].upper())
    numbers = (unique, f"+4930{unique}", f"#{unique[:6]}", f"{letters}-{unique}", f"{letters.upper()}-{unique}")
    return (*whole, day, f"{day}T07:08:09Z", day[:7], *words, *numbers)


@lru_cache(maxsize=1000)
def _parsed(pattern: str) -> Any:
    return sre_parser.parse(pattern)


def _written(tree: Any, source: random.Random) -> str:
    """Text for the nodes of a pattern; what cannot be told from a node alone is left to chance and looked at after."""
    writers: dict[Any, Callable[[Any], str]] = {
        sre.LITERAL: chr,
        sre.NOT_LITERAL: lambda code: source.choice(_PLAIN.replace(chr(code), "")),
        sre.ANY: lambda _: source.choice(_PLAIN),
        sre.IN: lambda members: source.choice(_members(members)),
        sre.BRANCH: lambda branches: _written(source.choice(branches[1]), source),
        sre.SUBPATTERN: lambda group: _written(group[-1], source),
        sre.ATOMIC_GROUP: lambda inner: _written(inner, source),
    }

    def repeated(low: int, high: int, inner: Any) -> str:
        times = source.randint(low, min(int(high), low + MAX_REPEATS))
        return "".join(_written(inner, source) for _ in range(times))

    parts = []
    for kind, argument in tree:
        if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            parts.append(repeated(*argument))
        elif kind in writers:
            parts.append(writers[kind](argument))
    return "".join(parts)


def _members(members: Any) -> str:
    """The characters of a set that are plain, or what else it names."""
    named = ""
    for kind, argument in members:
        if kind is sre.LITERAL:
            named += chr(argument)
        elif kind is sre.RANGE:
            named += "".join(chr(code) for code in range(argument[0], min(argument[1], argument[0] + 127) + 1))
        elif kind is sre.CATEGORY:
            named += _CATEGORIES.get(argument, "x-")
    if members[0][0] is sre.NEGATE:
        return "".join(one for one in _PLAIN if one not in named) or "-"
    return "".join(one for one in named if one.isalnum()) or named or "x"


@lru_cache(maxsize=1000)
def _from_regex(pattern: str) -> str:
    """What needs more than the nodes alone, such as a look-ahead; slow, and always the same."""
    from hypothesis import find, settings
    from hypothesis import strategies as st

    return find(st.from_regex(pattern), bool, settings=settings(database=None, derandomize=True))
