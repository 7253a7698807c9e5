"""Reads an application's code for the names it looks up in requests without declaring them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType
from typing import Any

MAX_FUNCTIONS = 400
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,40}")
_ORDINARY = frozenset(
    {"authorization", "accept", "content-type", "content-length", "cookie", "host", "user-agent", "origin", "referer"}
    | {"bearer", "basic", "token", "location", "etag", "if-none-match", "if-match", "utf-8", "ascii"}
)


def names(function: Any) -> list[str]:
    """The constants of a function that can be a name in a request, in the order of its code."""
    found = [text for code in _codes(function) for text in code.co_consts if isinstance(text, str)]
    return [text for text in dict.fromkeys(found) if _NAME.fullmatch(text)]


def uses(function: Any, *attributes: str) -> bool:
    """Whether the function mentions one of the attributes, such as ``query_params``."""
    return any(name in code.co_names for code in _codes(function) for name in attributes)


def reaches(function: Any, *attributes: str) -> bool:
    """Whether the function, or one of its own package that it calls, mentions one of the attributes."""
    return any(uses(one, *attributes) for one in _called([function]))


def names_within(function: Any) -> list[str]:
    """The names in the function, then those in the functions of its own package that it calls."""
    return list(dict.fromkeys(name for one in (function, *_called([function])) for name in names(one)))


def looked_up(functions: Iterable[Any]) -> list[str]:
    """What these functions, and those of their own package that they call, may look up outside the body."""
    readers = (one for one in _called(functions) if uses(one, "headers", "query_params", "cookies", "scope"))
    return list(dict.fromkeys(name for one in readers for name in names(one) if name.lower() not in _ORDINARY))


def middleware_of(app: Any) -> Iterator[Any]:
    """The functions of an application's own middleware."""
    for one in getattr(app, "user_middleware", ()):
        for value in (one.cls, *getattr(one, "args", ()), *getattr(one, "kwargs", {}).values()):
            if inspect.isfunction(value):
                yield value
            elif inspect.isclass(value):
                yield from (method for method in vars(value).values() if inspect.isfunction(method))


def calls_of(dependant: Any, depth: int = 0) -> Iterator[Any]:
    """A FastAPI handler and everything it depends on."""
    if getattr(dependant, "call", None) is not None:
        yield dependant.call
    for below in getattr(dependant, "dependencies", ()) if depth < 20 else ():
        yield from calls_of(below, depth + 1)


def _called(functions: Iterable[Any]) -> Iterator[Any]:
    waiting = [one for one in map(_plain, functions) if one is not None]
    seen: set[int] = set()
    while waiting and len(seen) < MAX_FUNCTIONS:
        function = waiting.pop()
        if id(function.__code__) in seen:
            continue
        seen.add(id(function.__code__))
        yield function
        package = function.__module__.partition(".")[0] if function.__module__ else ""
        for name in {name for code in _codes(function) for name in code.co_names}:
            other = _plain(function.__globals__.get(name))
            if other is not None and (other.__module__ or "").partition(".")[0] == package:
                waiting.append(other)


def _plain(function: Any) -> FunctionType | None:
    if isinstance(function, type) or not callable(function):
        return None
    whole = inspect.unwrap(getattr(function, "__func__", getattr(function, "func", function)))
    return whole if isinstance(whole, FunctionType) else None


def _codes(function: Any) -> Iterator[CodeType]:
    whole = _plain(function)
    waiting = [whole.__code__] if whole is not None else []
    while waiting:
        code = waiting.pop()
        yield code
        waiting.extend(inner for inner in code.co_consts if isinstance(inner, CodeType))
