"""What one function does, in order, and under which scope, transaction and gate each step stands."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from interlock.sweep.symbols import Function, Module, Where
from interlock.sweep.vocabulary import LOOP_RUNNERS, LOOP_RUNNING_METHODS


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
