"""Compares responses without being misled by what changes anyway: a difference counts only between two equals.

A sandwich is three responses, ``before``, ``probe``, ``after``, where the outer two ask the same thing. What
differs between the outer two is volatile (clocks, request ids, counters of the caller's own requests); what is the
same there but different in the probe was caused by the probe.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from interlock.testing.exchange import Response

Facts = dict[str, Any]

MAX_FACTS, MIN_DERIVED = 3000, 8
_CANARY = re.compile(r"qz7k[a-z2-7]{4,14}", re.IGNORECASE)
_LINE = re.compile(r"\r?\n|(?<=>)(?=<)")  # of text, or an element: one that tells the time says nothing of the others
_VOLATILE_HEADERS = frozenset({"date", "server", "content-length", "x-process-time", "x-response-time", "set-cookie"})
_SEPARATORS = re.compile(r"[\W_]+")
_MISSING = object()


def facts(response: Response, replaced: Iterable[str] = (), *, plain: bool = True) -> Facts:
    """The response as path → scalar. ``replaced`` are values of the request, whose echo says nothing.

    With ``plain``, canaries are all the same: what a text is made of says nothing, where it stands may.
    """
    known = sorted({text for text in replaced if len(text) >= 3}, key=len, reverse=True)
    squeezed = [_squeezed(text) for text in known if len(text) >= MIN_DERIVED]

    def simple(text: str) -> str:
        if not plain:
            return text
        bare = _squeezed(text)
        if len(bare) >= MIN_DERIVED and any(bare in one for one in squeezed):
            return "<sent>"  # made of a part of it, such as a slug
        for value in known:
            text = text.replace(value, "<sent>")
        return _CANARY.sub("<canary>", text)

    found: Facts = {"status": response.status}
    for key, value in response.headers:
        if key not in _VOLATILE_HEADERS:
            found[f"header {key}"] = _scalar(simple(value))
    if response.json is None:
        lines = _LINE.split(response.told.decode("utf-8", "replace"))
        for number, line in enumerate(lines[:MAX_FACTS], 1):
            found[f"body line {number}" if len(lines) > 1 else "body"] = simple(line)
        return found
    waiting: list[tuple[str, Any]] = [("$", response.json)]
    while waiting and len(found) < MAX_FACTS:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend((f"{path}.{simple(str(key))}", below) for key, below in value.items())
            found[f"{path}:keys"] = " ".join(sorted(simple(str(key)) for key in value))
        elif isinstance(value, list):
            waiting.extend((f"{path}[{position}]", below) for position, below in enumerate(value))
            found[f"{path}:length"] = len(value)
        else:
            found[path] = simple(value) if isinstance(value, str) else value
    return found


def caused(before: Facts, probe: Facts, after: Facts) -> list[str]:
    """The facts that the outer two agree on and the probe contradicts."""
    return sorted(
        key
        for key in {*before, *probe, *after}
        if before.get(key, _MISSING) == after.get(key, _MISSING) != probe.get(key, _MISSING)
    )


def same(one: Facts, other: Facts, key: str) -> bool:
    """Whether both say the same under the key, or both nothing."""
    return bool(one.get(key, _MISSING) == other.get(key, _MISSING))


def stepped(first: Facts, second: Facts, third: Facts) -> list[str]:
    """The facts that moved from the second to the third otherwise than from the first to the second.

    A number may drift by the same amount each time, such as a count of the caller's own requests.
    """
    moved = []
    for key in {*first, *second, *third}:
        one, two, three = (found.get(key, _MISSING) for found in (first, second, third))
        if one == two:
            if three != two:
                moved.append(key)
        elif all(map(_is_number, (one, two, three))) and not math.isclose(
            three - two, two - one, rel_tol=1e-6, abs_tol=1e-6
        ):
            moved.append(key)
    return sorted(moved)


def wavered(first: Facts, second: Facts) -> set[str]:
    """The facts that are not the same, but for numbers, which may drift."""
    pairs = ((key, first.get(key, _MISSING), second.get(key, _MISSING)) for key in {*first, *second})
    return {key for key, one, two in pairs if one != two and not (_is_number(one) and _is_number(two))}


def said(found: Facts, key: str) -> str:
    """A fact, short."""
    value = found.get(key, _MISSING)
    return "absent" if value is _MISSING else repr(value)[:120]


def _squeezed(text: str) -> str:
    return _SEPARATORS.sub("", text).lower()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scalar(text: str) -> Any:
    return int(text) if text.isdecimal() and len(text) < 16 else text
