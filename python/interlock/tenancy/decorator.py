"""A scope as a decorator: what may be decorated, and why generators may not."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interlock._native import Scope


def run_in_scope(scope: Scope, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` running in a fresh frame of ``scope`` at each call.

    Raises:
        TypeError: for a generator, an async generator, a class, or what is not callable.

    """
    if isinstance(function, type) or not callable(function):
        raise TypeError(
            "a scope decorates a function or an async function (put it below @classmethod or @staticmethod), "
            f"not a {type(function).__name__}"
        )
    called = function if inspect.isroutine(function) else _underlying(function)
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        raise TypeError(
            "a scope cannot decorate a generator: between two items it would be the scope of whoever consumes "
            "them. Open the scope in the consumer, or around each step inside the generator"
        )
    return _async_caller(scope, function) if inspect.iscoroutinefunction(called) else _caller(scope, function)


def _underlying(function: Callable[..., Any]) -> Callable[..., Any]:
    if isinstance(function, functools.partial):
        inner = function.func
        return inner if inspect.isroutine(inner) else _underlying(inner)
    return type(function).__call__


def _async_caller(scope: Scope, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with scope.fresh():
            return await function(*args, **kwargs)

    return call


def _caller(scope: Scope, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with scope.fresh():
            result = function(*args, **kwargs)
        if inspect.iscoroutine(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
            if not inspect.isasyncgen(result):
                result.close()
            raise TypeError(
                f"the function returned a {type(result).__name__}, which would run after its scope has ended: "
                "decorate an `async def` function"
            )
        return result

    return call
