"""IL111: an error log on every request, without a gate."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from interlock.sweep.entries import Entries
from interlock.sweep.findings import Finding
from interlock.sweep.flow import Flows, Step, identifier
from interlock.sweep.symbols import Class, Function, Project
from interlock.sweep.vocabulary import LOGGER_NAME, LOUD_METHODS

LOUD_LEVELS = {"CRITICAL", "ERROR", "FATAL"}


def findings(project: Project, flows: Flows, entries: Entries) -> Iterator[Finding]:
    """Loud lines of middleware and exception handlers that no gate stands before."""
    places = {*entries.exception_handlers, *entries.http_middleware}
    for cls in project.classes.values():
        if _is_middleware(project, cls):
            places.update(cls.methods.values())
    for function in sorted(places, key=lambda place: place.name):
        for step in _steps(function, flows):
            if not step.standing.gate and _is_loud(step, function, project):
                yield Finding(
                    path=function.module.source.path,
                    line=step.node.lineno,
                    column=step.node.col_offset + 1,
                    rule="IL111",
                    message="a loud log line on every request: put `if gate.allow(): …` before it, or "
                    "`with gate.transition() as fired`",
                    subject=function.name,
                )


def _steps(function: Function, flows: Flows) -> Iterator[Step]:
    yield from flows.of(function).steps
    for nested in function.nested.values():
        yield from _steps(nested, flows)


def _is_middleware(project: Project, cls: Class) -> bool:
    """``dispatch`` of a BaseHTTPMiddleware, or a pure ASGI class: ``__call__(self, scope, receive, send)``."""
    if any("Middleware" in (project.resolve(base, None, cls.module) or "") for base in cls.node.bases):
        return True
    call = cls.methods.get("__call__")
    return call is not None and {"scope", "receive", "send"} <= call.parameters()


def _is_loud(step: Step, function: Function, project: Project) -> bool:
    called = step.node.func
    if not isinstance(called, ast.Attribute):
        return False
    if called.attr == "log" and step.node.args:
        if identifier(step.node.args[0]) not in LOUD_LEVELS:
            return False
    elif called.attr not in LOUD_METHODS:
        return False
    receiver = called.value
    if isinstance(receiver, ast.Call):
        return identifier(receiver.func) in {"getLogger", "get_logger", "bind", "opt"}
    name = identifier(receiver)
    return bool(LOGGER_NAME.search(name)) or project.resolve(receiver, function, function.module) == "logging"
