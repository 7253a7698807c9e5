"""Decorators that hand a function over: to a router, a scheduler, the life span, an exception handler."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from interlock.sweep.project import Project
from interlock.sweep.symbols import Function, Where
from interlock.sweep.text import identifier
from interlock.sweep.vocabulary import (
    LIFESPAN_DECORATORS,
    ROUTE_CLASSES,
    ROUTE_DECORATORS,
    ROUTE_OWNER,
    SCHEDULER_DECORATORS,
    SCHEDULING,
    WORKER_DECORATORS,
    last,
)

if TYPE_CHECKING:
    from interlock.sweep.flows import Flows


class Registrations:
    """Says what a decorator makes of a function."""

    def __init__(self, project: Project, flows: Flows) -> None:
        self.project, self.flows = project, flows

    def registers(self, function: Function, decorator: ast.expr) -> bool:
        """Whether a decorator hands the function over to be called by something else."""
        called, name, owner = _parts(decorator)
        if isinstance(called, ast.Attribute) and name in ROUTE_DECORATORS and ROUTE_OWNER.search(owner):
            return True
        return self.of(function, decorator) is not None

    def of(self, function: Function, decorator: ast.expr) -> tuple[str, str] | None:
        """Return (what the function becomes, how that is shown), such as ("background", "@repeat_every")."""
        called, name, owner = _parts(decorator)
        shown = f"@{owner}.{name}" if owner else f"@{name}"
        if name in LIFESPAN_DECORATORS:
            return "lifespan", "on_event"
        if name == "add" and "lifespan" in owner:
            return "lifespan", shown
        if name == "exception_handler":
            return "exception", shown
        if isinstance(called, ast.Attribute):
            if name == "middleware":
                return "middleware", shown
            if name in ROUTE_DECORATORS and self._owns_routes(called.value, function.outer):
                return "handler", f"{name.upper()} {_route(decorator)}".strip()
            if name in WORKER_DECORATORS:
                return "background", shown
        if name in SCHEDULER_DECORATORS:
            return "background", shown
        if SCHEDULING.search(name) and not self.flows.wraps(decorator, function.outer):
            return "background", shown
        return None

    def _owns_routes(self, owner: ast.expr, where: Where) -> bool:
        known = self.project.type_of(owner, where)
        if known is not None:
            return last(known) in ROUTE_CLASSES or self.project.is_a(known, _FULL_ROUTE_CLASSES)
        return bool(ROUTE_OWNER.search(identifier(owner)))


_FULL_ROUTE_CLASSES = {
    f"{package}.{name}" for package in ("fastapi", "starlette.applications") for name in ROUTE_CLASSES
}


def _parts(decorator: ast.expr) -> tuple[ast.expr, str, str]:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return called, identifier(called), identifier(called.value) if isinstance(called, ast.Attribute) else ""


def _route(decorator: ast.expr) -> str:
    if isinstance(decorator, ast.Call) and decorator.args and isinstance(decorator.args[0], ast.Constant):
        return str(decorator.args[0].value)
    return ""
