"""The flow of every function, and what its parameters are used for."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from interlock.sweep.callables import Callables
from interlock.sweep.flow import Flow, Standing, Use
from interlock.sweep.project import Project
from interlock.sweep.registration import Registrations
from interlock.sweep.scopes import Scopes
from interlock.sweep.symbols import Function, Where
from interlock.sweep.walker import Walker

MAX_DEPTH = 16


class Flows:
    """Computes and keeps the flow of every function."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.scopes = Scopes(project, self)
        self.callables = Callables(project, self)
        self.registrations = Registrations(project, self)
        self._flows: dict[int, Flow] = {}
        self._uses: dict[tuple[Function, str], list[Use]] = {}
        self._depth = 0

    def of(self, where: Where) -> Flow:
        """The flow of a function or of a module's own statements; a scope its decorators open surrounds all of it."""
        if id(where) not in self._flows:
            scope = self.scopes.around(where) if isinstance(where, Function) else None
            self._flows[id(where)] = Flow()  # what a recursion sees
            self._flows[id(where)] = Walker(self, where).walked(Standing(scope=scope))
        return self._flows[id(where)]

    def uses(self, function: Function, parameter: str) -> list[Use]:
        """How a function, or a function inside it, calls one of its parameters."""
        key = (function, parameter)
        if key not in self._uses:
            if self._depth >= MAX_DEPTH:
                return []
            self._uses[key] = []  # ends a recursion
            self._depth += 1
            try:
                found = [use for one in _with_nested(function) for use in self.of(one).uses]
            finally:
                self._depth -= 1
            self._uses[key] = [use for use in found if use.owner is function and use.parameter == parameter]
        return self._uses[key]

    def decorated(self, factory: Function, call: ast.Call) -> Iterator[tuple[ast.expr, str | None]]:
        """The arguments of ``decorator(function)`` that the result calls, each with the scope put round it."""
        for parameter, argument in factory.passed(call):
            uses = self.uses(factory, parameter)
            if uses:
                yield argument, _common_scope(uses)

    def scope_of_decorator(self, decorator: ast.expr, where: Where) -> str | None:
        """The scope that one of the project's own decorators puts round what it decorates."""
        kinds = {_common_scope(uses) for uses in self._uses_of_decorated(decorator, where)}
        return kinds.pop() if len(kinds) == 1 else None

    def wraps(self, decorator: ast.expr, where: Where) -> bool:
        """Whether a decorator of the project calls what it decorates, rather than keep it for later."""
        return any(self._uses_of_decorated(decorator, where))

    def _uses_of_decorated(self, decorator: ast.expr, where: Where) -> Iterator[list[Use]]:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        for function in self.callables.called_by(called, where):
            inner = [function]
            if isinstance(decorator, ast.Call):
                is_class = function.owner is not None and function.name.endswith(".__init__")
                inner = self.callables.of_instance(function.owner) if is_class and function.owner else []
                inner = inner or self.callables.returned(function)
            for one in inner:
                names = [argument.arg for argument in one.arguments() if argument.arg != one.receiver()]
                if names:
                    yield self.uses(one, names[0])


def _common_scope(uses: list[Use]) -> str | None:
    return uses[0].scope if uses and all(use.scope is not None for use in uses) else None


def _with_nested(function: Function) -> Iterator[Function]:
    yield function
    for nested in function.functions.values():
        yield from _with_nested(nested)
