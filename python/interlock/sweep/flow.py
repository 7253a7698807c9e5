"""What one function does, in order, and under which scope, transaction and gate each step stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from interlock.sweep.callables import Callables
from interlock.sweep.project import Project
from interlock.sweep.registration import Registrations
from interlock.sweep.scopes import Scopes
from interlock.sweep.symbols import Function, Module, Where
from interlock.sweep.vocabulary import LOOP_RUNNERS, LOOP_RUNNING_METHODS

MAX_DEPTH = 16


@dataclass(frozen=True)
class Standing:
    """What surrounds a statement: a scope, a transaction, a gate's branch, ``if __name__ == "__main__"``."""

    scope: str | None = None
    transaction: bool = False
    gate: bool = False
    script: bool = False


@dataclass(frozen=True)
class Edge:
    """A function that a step runs, the scope it runs under, and the functions it was handed through."""

    target: Function
    scope: str | None
    through: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One call, and what it is.

    Attributes:
        started: how the work is started, where it runs on its own (a task, a job, a thread).
        joined: the task ends before this function does.

    """

    node: ast.Call
    standing: Standing
    acquires: bool = False
    edges: tuple[Edge, ...] = ()
    started: str | None = None
    joined: bool = False

    def runs_on_import(self, where: Where) -> bool:
        """Whether it is a module's own statement that runs the work to its end while the module is imported."""
        runs_loop = self.started in LOOP_RUNNERS | LOOP_RUNNING_METHODS
        return isinstance(where, Module) and not self.standing.script and (self.started is None or runs_loop)


@dataclass(frozen=True)
class Use:
    """A parameter that is called or awaited, the scope it is under, and whether it becomes a task."""

    owner: Function
    parameter: str
    scope: str | None
    started: bool = False


@dataclass
class Flow:
    """The calls of a function body (or of a module's top level) and the scopes it opens."""

    steps: list[Step] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    yields: list[tuple[ast.expr, Standing]] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)


@dataclass(frozen=True)
class Opened:
    """A scope that is opened, and the nodes that run inside it."""

    node: ast.expr
    kind: str
    body: tuple[ast.AST, ...]


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
            from interlock.sweep.walker import Walker

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
