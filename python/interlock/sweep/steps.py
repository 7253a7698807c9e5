"""Makes the steps of a flow: what each call runs, takes, starts, or hands on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.sweep.acquires import Acquires
from interlock.sweep.flow import Edge, Flow, Standing, Step, Use
from interlock.sweep.symbols import Function, Where, enclosing
from interlock.sweep.syntax import walk
from interlock.sweep.text import identifier
from interlock.sweep.vocabulary import (
    CALLBACK_KEYWORD,
    CALLBACK_STARTERS,
    CALLBACK_STARTERS_DOTTED,
    CONTEXT_KEEPING,
    JOINERS,
    LOOP_RUNNERS,
    LOOP_RUNNING_METHODS,
    SCHEDULING,
    SCOPED_RUNNERS,
    TASK_GROUPS,
    TASK_STARTERS,
    last,
)

if TYPE_CHECKING:
    from interlock.sweep.flows import Flows

REFERENCES = ast.Name | ast.Attribute | ast.Lambda | ast.Call


class Steps:
    """Judges the calls of one function, in the order they are visited: a call before its arguments."""

    def __init__(self, flows: Flows, where: Where, flow: Flow) -> None:
        self.flows, self.where, self.flow = flows, where, flow
        self.project, self.callables = flows.project, flows.callables
        self.acquires = Acquires(flows.project)
        self._given: dict[int, Standing] = {}
        self._started: dict[int, tuple[str, bool]] = {}
        self._statement: ast.stmt | None = None
        self._awaited: set[str] | None = None

    def begin(self, statement: ast.stmt) -> None:
        """Note the statement; a coroutine made here and made a task later is no call of this function."""
        self._statement = statement
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            names = {target.id for target in statement.targets if isinstance(target, ast.Name)}
            for starter in self._starters_of(names) if names else ():
                self._started[id(statement.value)] = (identifier(starter.func), self._is_joined(starter))

    def call(self, node: ast.Call, standing: Standing) -> Standing:
        """Record a call; return the standing of its arguments."""
        standing = self._given.get(id(node), standing)
        name = identifier(node.func)
        dotted = self.project.resolve(node.func, self.where) or ""
        if name in SCOPED_RUNNERS or last(dotted) in SCOPED_RUNNERS:
            inside = replace(standing, scope=standing.scope or "tenant")
            for argument in node.args:
                self._note_use(argument, inside)
            return inside
        if last(dotted) in {"partial", "partialmethod"}:
            return standing
        how = self._starter(node, name, dotted)
        if how is not None:
            self._start(node, standing, how)
            return standing
        how = self._callback_starter(node, name, dotted)
        if how is not None:
            for value in _arguments(node):
                self._hand_over(node, value, replace(standing, scope=None), how, joined=False)
        self._ordinary(node, standing, how)
        return standing

    def entering(self, manager: ast.expr, standing: Standing) -> None:
        """``async with UnitOfWork(pool)`` runs the ``__aenter__`` of the class."""
        cls = self.project.classes.get(self.project.type_of(manager, self.where) or "")
        if cls is None or not isinstance(manager, ast.Call | ast.Name | ast.Attribute):
            return
        methods = (self.project.method(cls, name) for name in ("__aenter__", "__enter__"))
        edges = tuple(Edge(method, standing.scope) for method in methods if method is not None)
        if edges:
            call = manager if isinstance(manager, ast.Call) else _as_call(manager)
            self.flow.steps.append(Step(call, standing, edges=edges))

    def awaited(self, node: ast.Await, standing: Standing) -> None:
        """``await parameter``; and ``await library_call(function)`` runs the function here."""
        self._note_use(node.value, standing)
        if isinstance(node.value, ast.Call) and not self.callables.called_by(node.value.func, self.where):
            call = node.value
            name = identifier(call.func)
            if self._starter(call, name, "") or self._callback_starter(call, name, "") or name in SCOPED_RUNNERS:
                return
            for value in call.args:
                if isinstance(value, ast.Name | ast.Attribute | ast.Lambda):
                    self._run_here(call, value, standing)

    # --- what starts work of its own

    def _starter(self, node: ast.Call, name: str, dotted: str) -> str | None:
        if dotted in LOOP_RUNNERS:
            return dotted
        if name in LOOP_RUNNING_METHODS:
            return name
        if name == "submit":
            owner = identifier(node.func.value) if isinstance(node.func, ast.Attribute) else ""
            return name if "exec" in owner or "pool" in owner else None
        return name if name in TASK_STARTERS and dotted not in self.project.functions else None

    def _callback_starter(self, node: ast.Call, name: str, dotted: str) -> str | None:
        if name in CALLBACK_STARTERS or dotted in CALLBACK_STARTERS_DOTTED or last(dotted) in {"Thread", "Timer"}:
            return name or last(dotted)
        if dotted in self.project.functions or dotted in self.project.classes:
            return None
        elected = any(CALLBACK_KEYWORD.search(keyword.arg or "") for keyword in node.keywords)
        return name if SCHEDULING.search(name) or elected else None

    def _start(self, node: ast.Call, standing: Standing, how: str) -> None:
        joined = self._is_joined(node)
        for value in _arguments(node):
            if isinstance(value, ast.Call):
                for coroutine in _coroutines(value):
                    self._started[id(coroutine)] = (how, joined)
            elif isinstance(value, ast.Name) and self._is_parameter(value.id):
                self._note_use(value, standing, started=not joined)
            else:
                self._hand_over(node, value, standing, how, joined=joined)

    def _hand_over(self, node: ast.Call, value: ast.expr, standing: Standing, how: str, *, joined: bool) -> None:
        """A function given to a task group, an executor, a scheduler."""
        if isinstance(value, ast.Call) and id(value) in self._started:
            return
        if isinstance(value, ast.Name) and self._is_parameter(value.id):
            self._note_use(value, standing, started=not joined)
        edges = tuple(Edge(target, standing.scope) for target in self.callables.called_by(value, self.where))
        acquires = isinstance(value, REFERENCES) and self.acquires.calling(value, self.where)
        if edges or acquires:
            self.flow.steps.append(Step(node, standing, acquires, edges, started=how, joined=joined))

    def _is_joined(self, node: ast.Call) -> bool:
        """Whether a task surely ends before this function does: of a task group, or awaited here."""
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            for scope in enclosing(self.where):
                for value in scope.bindings.get(node.func.value.id, ()):
                    if isinstance(value, ast.Call) and identifier(value.func) in TASK_GROUPS:
                        return True
        if not isinstance(self.where, Function):
            return False
        if self._awaited is None:
            names = (name for found in self.where.own(ast.Await) for name in walk(found))
            self._awaited = {name.id for name in names if isinstance(name, ast.Name)}
        statement = self._statement
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            return any(isinstance(target, ast.Name) and target.id in self._awaited for target in targets)
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            kept = statement.value.func  # tasks.append(create_task(…))
            return isinstance(kept, ast.Attribute) and identifier(kept.value) in self._awaited
        awaits = (found for found in walk(statement) if isinstance(found, ast.Await)) if statement is not None else ()
        return any(found is node for one in awaits for found in walk(one))

    def _starters_of(self, names: set[str]) -> Iterator[ast.Call]:
        for found in self.where.own(ast.Call) if isinstance(self.where, Function) else ():
            given = (value.id for value in _arguments(found) if isinstance(value, ast.Name))
            if identifier(found.func) in TASK_STARTERS and not names.isdisjoint(given):
                yield found

    # --- calls

    def _ordinary(self, node: ast.Call, standing: Standing, callback: str | None) -> None:
        targets = self.callables.called_by(node.func, self.where)
        acquires = self.acquires.calling(node.func, self.where)
        # What a pool does inside is the pool's own affair.
        edges = [] if acquires else [Edge(target, standing.scope) for target in targets]
        for target in targets:
            edges += self._through(target, node, standing)
        how, joined = self._started.get(id(node), (None, False))
        if not targets and callback is None:
            name = identifier(node.func)
            for value in _arguments(node) if name in JOINERS | CONTEXT_KEEPING else ():
                self._note_use(value, standing)
        self._note_use(node.func, standing, started=how is not None)
        self.flow.steps.append(Step(node, standing, acquires, tuple(edges), started=how, joined=joined))

    def _run_here(self, call: ast.Call, value: ast.expr, standing: Standing) -> None:
        edges = tuple(Edge(target, standing.scope) for target in self.callables.called_by(value, self.where))
        acquires = not isinstance(value, ast.Lambda) and self.acquires.calling(value, self.where)
        if edges or acquires:
            self.flow.steps.append(Step(call, standing, acquires, edges))
        self._note_use(value, standing)

    def _through(self, target: Function, node: ast.Call, standing: Standing) -> Iterator[Edge]:
        """Functions and coroutines that a function of the project is given, and runs."""
        for parameter, argument in target.passed(node):
            if not isinstance(argument, REFERENCES):
                continue
            uses = self.flows.uses(target, parameter)
            for use in uses:
                scope = standing.scope or use.scope
                if isinstance(argument, ast.Name) and self._is_parameter(argument.id):
                    self._note_use(argument, replace(standing, scope=scope), started=use.started)
                    continue
                inside = replace(standing, scope=scope)
                if isinstance(argument, ast.Call) and not self._is_partial(argument):
                    if use.started:
                        self._started[id(argument)] = (target.name.rpartition(".")[2], False)
                    if all(one.scope is not None for one in uses):
                        self._given[id(argument)] = inside
                elif use.started:
                    self._hand_over(node, argument, inside, target.name.rpartition(".")[2], joined=False)
                else:
                    for called in self.callables.called_by(argument, self.where):
                        yield Edge(called, scope, (target.name,))
                    if self.acquires.calling(argument, self.where):
                        self.flow.steps.append(Step(node, inside, acquires=True))

    def _is_partial(self, node: ast.Call) -> bool:
        return last(self.project.resolve(node.func, self.where)) == "partial"

    # --- parameters

    def _note_use(self, node: ast.expr, standing: Standing, *, started: bool = False) -> None:
        if isinstance(node, ast.Starred):
            node = node.value
        if isinstance(node, ast.Name):
            for scope in enclosing(self.where):
                if isinstance(scope, Function):
                    if node.id in scope.parameters:
                        self.flow.uses.append(Use(scope, node.id, standing.scope, started))
                        return
                    if node.id in scope.bindings:
                        return

    def _is_parameter(self, name: str) -> bool:
        for scope in enclosing(self.where):
            if isinstance(scope, Function):
                if name in scope.parameters:
                    return True
                if name in scope.bindings or name in scope.functions:
                    return False
        return False


def _arguments(node: ast.Call) -> Iterator[ast.expr]:
    yield from node.args
    yield from (keyword.value for keyword in node.keywords)


def _coroutines(value: ast.expr) -> Iterator[ast.Call]:
    """The calls whose coroutines run when ``value`` does: itself, or what a ``gather`` is given."""
    if isinstance(value, ast.Call):
        yield value
        for argument in value.args if identifier(value.func) in JOINERS else ():
            yield from _coroutines(argument)
    elif isinstance(value, ast.Starred):
        yield from _coroutines(value.value)
    elif isinstance(value, ast.ListComp | ast.GeneratorExp):
        yield from _coroutines(value.elt)
    elif isinstance(value, ast.List | ast.Tuple):
        for element in value.elts:
            yield from _coroutines(element)


def _as_call(node: ast.expr) -> ast.Call:
    return ast.copy_location(ast.Call(func=node, args=[], keywords=[]), node)
