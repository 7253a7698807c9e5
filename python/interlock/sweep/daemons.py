"""Recognises the loop of a daemon."""

from __future__ import annotations

import ast

from interlock.sweep.symbols import Function
from interlock.sweep.syntax import children, walk
from interlock.sweep.text import identifier
from interlock.sweep.vocabulary import SLEEPS

WAITING = {"wait", "get", "receive", "read_message", "poll"}
WAITED_FOR = ("stop", "event", "queue", "shutdown", "signal", "wake", "closing")


def is_daemon_loop(function: Function) -> bool:
    """A ``while`` loop of its own body, true or on a flag, that sleeps or waits."""
    return any(_waits(node) and _is_endless(node) for node in function.own(ast.While))


def never_ends(function: Function) -> bool:
    """Whether a function loops for ever: ``while True`` without a ``return`` or a ``break`` of its own."""
    return any(
        isinstance(node.test, ast.Constant) and node.test.value and not _leaves(node)
        for node in function.own(ast.While)
    )


def _is_endless(node: ast.While) -> bool:
    """``while True`` or on a flag; ``while attempt < 3`` is a retry, which ends."""
    return not isinstance(node.test, ast.Compare)


def _waits(node: ast.While) -> bool:
    for inner in walk(node):
        if isinstance(inner, ast.Call):
            name = identifier(inner.func)
            if name in SLEEPS:
                return True
            if name in WAITING and isinstance(inner.func, ast.Attribute):
                owner = identifier(inner.func.value).lower()
                if any(word in owner for word in WAITED_FOR):
                    return True
    return False


def _leaves(loop: ast.While) -> bool:
    pending: list[ast.AST] = list(loop.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Return | ast.Break):
            return True
        if isinstance(node, ast.While | ast.For | ast.AsyncFor):
            # A `break` in there leaves that loop only.
            pending += [inner for inner in walk(node) if isinstance(inner, ast.Return)]
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            pending += children(node)
    return False
