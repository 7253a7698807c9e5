"""What one function does, in order, and under which scope, transaction and gate each step stands."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace

from interlock.sweep.scopes import Scopes
from interlock.sweep.sources import children, walk
from interlock.sweep.symbols import Function, Module, Project
from interlock.sweep.vocabulary import (
    ACQUIRING_METHODS,
    GATE_METHODS,
    LOOP_RUNNERS,
    POOL_GETTER,
    POOL_NAME,
    POOL_TYPES,
    SCOPED_RUNNERS,
    TASK_STARTERS,
    last,
)


@dataclass(frozen=True)
class Standing:
    """What surrounds a statement: whether a scope, a transaction, a gate's branch."""

    scope: str | None = None
    transaction: bool = False
    gate: bool = False
    loop: bool = False


@dataclass(frozen=True)
class Step:
    """One call, and what it is."""

    node: ast.Call
    standing: Standing
    acquires: bool = False
    calls: Function | None = None


@dataclass
class Flow:
    """The calls of a function body (or of a module's top level) and the scopes it opens."""

    steps: list[Step] = field(default_factory=list)
    opened: list[tuple[ast.expr, str, Standing]] = field(default_factory=list)
    yields: list[tuple[ast.expr, Standing]] = field(default_factory=list)


class Flows:
    """Computes and keeps the flow of every function."""

    def __init__(self, project: Project, scopes: Scopes) -> None:
        self.project, self.scopes = project, scopes
        self._flows: dict[int, Flow] = {}

    def of(self, function: Function) -> Flow:
        """The flow of a function; a scope its decorators open surrounds all of it."""
        if id(function) not in self._flows:
            walker = _Walker(self.project, self.scopes, function, function.module)
            walker.block(function.node.body, Standing(scope=self.scopes.around(function)))
            self._flows[id(function)] = walker.flow
        return self._flows[id(function)]

    def of_top_level(self, module: Module) -> Flow:
        """The flow of a module's own statements."""
        walker = _Walker(self.project, self.scopes, None, module)
        walker.block(module.source.tree.body, Standing())
        return walker.flow


class _Walker:
    """Walks statements in order; functions and classes defined inside are flows of their own."""

    def __init__(self, project: Project, scopes: Scopes, function: Function | None, module: Module) -> None:
        self.project, self.scopes, self.function, self.module = project, scopes, function, module
        self.flow = Flow()
        self._passed_to_runner: set[int] = set()
        self._started_as_task: set[int] = set()

    def block(self, body: list[ast.stmt], standing: Standing) -> None:
        for statement in body:
            standing = self._statement(statement, standing)

    def _statement(self, node: ast.stmt, standing: Standing) -> Standing:
        """Visit a statement; return the standing of the statements after it in the same block."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for expression in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
                self._expression(expression, standing)
        elif isinstance(node, ast.ClassDef):
            if self.function is None:
                self.block([child for child in node.body if not isinstance(child, ast.ClassDef)], standing)
        elif isinstance(node, ast.With | ast.AsyncWith):
            self._with(node, standing)
        elif isinstance(node, ast.If):
            return self._if(node, standing)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.While):
            self._expression(node.iter if isinstance(node, ast.For | ast.AsyncFor) else node.test, standing)
            self.block(node.body, replace(standing, loop=True))
            self.block(node.orelse, standing)
        elif isinstance(node, ast.Try | ast.TryStar):
            for block in (node.body, *(handler.body for handler in node.handlers), node.orelse, node.finalbody):
                self.block(block, standing)
        elif isinstance(node, ast.Match):
            self._expression(node.subject, standing)
            for case in node.cases:
                self.block(case.body, standing)
        else:
            for child in children(node):
                if isinstance(child, ast.expr):
                    standing = self._expression(child, standing)
        return standing

    def _with(self, node: ast.With | ast.AsyncWith, standing: Standing) -> None:
        for item in node.items:
            self._expression(item.context_expr, standing)
            kind = self.scopes.opened_by(item.context_expr, self.function, self.module)
            if kind is not None:
                self.flow.opened.append((item.context_expr, kind, standing))
                standing = replace(standing, scope=kind)
            called = item.context_expr.func if isinstance(item.context_expr, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr == "transaction":
                standing = replace(standing, transaction=True)
            if self._asks_gate(item.context_expr):
                standing = replace(standing, gate=True)
        self.block(node.body, standing)

    def _if(self, node: ast.If, standing: Standing) -> Standing:
        self._expression(node.test, standing)
        asked = self._asks_gate(node.test)
        negated = isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not)
        self.block(node.body, replace(standing, gate=standing.gate or (asked and not negated)))
        self.block(node.orelse, replace(standing, gate=standing.gate or (asked and negated)))
        # `if not gate.allow(): return` gates what follows.
        leaves = bool(node.body) and isinstance(node.body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)
        return replace(standing, gate=True) if asked and negated and leaves else standing

    def _expression(self, node: ast.expr | None, standing: Standing) -> Standing:
        """Record every call in an expression; a scope entered on an exit stack holds for what follows."""
        pending: list[ast.AST] = [node] if node is not None else []
        while pending:
            found = pending.pop()
            if isinstance(found, ast.Lambda):
                continue
            if isinstance(found, ast.Yield | ast.YieldFrom):
                self.flow.yields.append((found, standing))
            if isinstance(found, ast.Call):
                self._call(found, standing)
                standing = self._entered_on_stack(found, standing)
            pending.extend(children(found))
        return standing

    def _call(self, node: ast.Call, standing: Standing) -> None:
        if id(node) in self._passed_to_runner:
            standing = replace(standing, scope="tenant")
        called = self.project.resolve(node.func, self.function, self.module)
        if last(called) in SCOPED_RUNNERS:
            # with_tenant(org, fn) and spawn_scoped(coro()) open the scope around what they are given.
            self._passed_to_runner.update(id(argument) for argument in node.args)
        elif last(called) == "partial":
            return
        if identifier(node.func) in TASK_STARTERS or called in LOOP_RUNNERS:
            # A task runs on its own: it is an entry, not a call of this function.
            self._started_as_task.update(id(argument) for argument in node.args)
        self.flow.steps.append(
            Step(
                node,
                standing,
                acquires=self.acquires(node, called),
                calls=None
                if id(node) in self._started_as_task
                else self.project.function_at(node.func, self.function, self.module),
            )
        )

    def acquires(self, node: ast.Call, called: str | None) -> bool:
        """Whether a call takes a connection from a pool."""
        if last(called) == "acquire_connection":
            return True
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in ACQUIRING_METHODS:
            return False
        receiver = node.func.value
        known = self.project.type_of(receiver, self.function, self.module)
        if known is not None and last(known) not in {"Any", "object"}:
            return known in POOL_TYPES
        if isinstance(receiver, ast.Await):
            receiver = receiver.value
        if isinstance(receiver, ast.Call):
            name = identifier(receiver.func)
            return bool(POOL_GETTER.search(name) or POOL_NAME.search(name))
        return bool(POOL_NAME.search(identifier(receiver)))

    def _entered_on_stack(self, node: ast.Call, standing: Standing) -> Standing:
        if isinstance(node.func, ast.Attribute) and node.func.attr in {"enter_context", "enter_async_context"}:
            kind = self.scopes.opened_by(node.args[0], self.function, self.module) if node.args else None
            if kind is not None:
                self.flow.opened.append((node, kind, standing))
                return replace(standing, scope=kind)
        return standing

    def _asks_gate(self, node: ast.expr) -> bool:
        for found in walk(node):
            if isinstance(found, ast.Call) and identifier(found.func) in GATE_METHODS:
                return True
            if isinstance(found, ast.Name):
                bound = self._bound(found.id)
                if isinstance(bound, ast.Call) and identifier(bound.func) in GATE_METHODS:
                    return True
        return False

    def _bound(self, name: str) -> ast.expr | None:
        scope = self.function
        while scope is not None:
            if name in scope.bindings:
                return scope.bindings[name]
            scope = scope.parent
        return None


def identifier(node: ast.expr) -> str:
    """The last identifier of a name, attribute or subscript: ``pool`` of ``request.app.state.pool``."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Subscript):
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            return node.slice.value
        return identifier(node.value)
    return ""
