"""Walks the statements of a function in order and keeps what surrounds each."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.sweep.flow import Flow, Opened, Standing
from interlock.sweep.steps import Steps
from interlock.sweep.symbols import Function, Where, enclosing
from interlock.sweep.syntax import children, walk
from interlock.sweep.text import identifier
from interlock.sweep.vocabulary import GATE_METHODS

if TYPE_CHECKING:
    from interlock.sweep.flows import Flows

LEAVING = ast.Return | ast.Raise | ast.Continue | ast.Break
TRANSACTIONS = {"transaction", "begin", "atomic", "start_transaction"}


class Walker:
    """Functions and classes defined inside are flows of their own."""

    def __init__(self, flows: Flows, where: Where) -> None:
        self.flows, self.scopes, self.where = flows, flows.scopes, where
        self.flow = Flow()
        self.steps = Steps(flows, where, self.flow)
        self._by_hand: list[tuple[ast.expr, str]] = []  # scopes entered by a call, also in one branch only

    def walked(self, standing: Standing) -> Flow:
        """Walk all of it."""
        if not isinstance(self.where, Function):
            self._block(self.where.source.tree.body, standing)
        elif isinstance(self.where.node, ast.Lambda):
            self._expression(self.where.node.body, standing)
        else:
            self._block(self.where.node.body, standing)
        return self.flow

    def _block(self, body: list[ast.stmt], standing: Standing) -> None:
        for position, statement in enumerate(body):
            mark = len(self._by_hand)
            after = self._statement(statement, standing)
            if after.scope != standing.scope and after.scope is not None:
                self._by_hand.append((_first_expression(statement), after.scope))
            if isinstance(statement, ast.With | ast.AsyncWith):
                del self._by_hand[mark:]  # what was put on its stack ends with it
            for node, kind in self._by_hand[mark:]:
                self.flow.opened.append(Opened(node, kind, tuple(body[position + 1 :])))
            standing = after

    def _statement(self, node: ast.stmt, standing: Standing) -> Standing:
        """Visit a statement; return the standing of the statements after it in the same block."""
        self.steps.begin(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for expression in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
                self._expression(expression, standing)
        elif isinstance(node, ast.ClassDef):
            if not isinstance(self.where, Function):
                self._block([child for child in node.body if not isinstance(child, ast.ClassDef)], standing)
        elif isinstance(node, ast.With | ast.AsyncWith):
            self._with(node, standing)
        elif isinstance(node, ast.If):
            return self._if(node, standing)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.While):
            self._expression(node.test if isinstance(node, ast.While) else node.iter, standing)
            gated = isinstance(node, ast.While) and self._asks_gate(node.test)
            self._block(node.body, replace(standing, gate=standing.gate or gated))
            self._block(node.orelse, standing)
        elif isinstance(node, ast.Try | ast.TryStar):
            # A scope entered by hand in the block is open in what follows it there.
            for block in (node.body, *(handler.body for handler in node.handlers), node.orelse, node.finalbody):
                self._block(block, standing)
        elif isinstance(node, ast.Match):
            self._expression(node.subject, standing)
            for case in node.cases:
                self._block(case.body, standing)
        else:
            for child in children(node):
                if isinstance(child, ast.expr):
                    standing = self._expression(child, standing)
        return standing

    def _with(self, node: ast.With | ast.AsyncWith, standing: Standing) -> None:
        for position, item in enumerate(node.items):
            entered = self._expression(item.context_expr, standing)
            self.steps.entering(item.context_expr, standing)
            kind = self.scopes.opened_by(item.context_expr, self.where)
            if kind is not None:
                body = (*(other.context_expr for other in node.items[position + 1 :]), *node.body)
                self.flow.opened.append(Opened(item.context_expr, kind, body))
                entered = replace(standing, scope=kind)
            called = item.context_expr.func if isinstance(item.context_expr, ast.Call) else None
            if called is not None and identifier(called) in TRANSACTIONS:
                entered = replace(entered, transaction=True)
            if self._asks_gate(item.context_expr):
                entered = replace(entered, gate=True)
            standing = entered
        self._block(node.body, standing)

    def _if(self, node: ast.If, standing: Standing) -> Standing:
        """Long ``elif`` chains are followed without recursion."""
        before = standing
        while True:
            self._expression(node.test, standing)
            asked = self._asks_gate(node.test)
            negated = isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not)
            once = asked or _fires_once(node)
            inside = replace(standing, gate=standing.gate or (once and not (asked and negated)))
            self._block(node.body, replace(inside, script=standing.script or _is_main_guard(node.test)))
            standing = replace(standing, gate=standing.gate or (asked and negated))
            if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
                following = node.orelse[0]
                self.steps.begin(following)
                if asked and negated and _leaves(node):
                    before = replace(before, gate=True)
                node = following
                continue
            self._block(node.orelse, standing)
            # `if not gate.allow(): return` gates what follows.
            return replace(before, gate=True) if asked and negated and _leaves(node) else before

    def _expression(self, node: ast.expr | None, standing: Standing) -> Standing:
        """Visit every call in an expression; a scope entered on an exit stack holds for what follows."""
        pending: list[tuple[ast.AST, Standing]] = [] if node is None else [(node, standing)]
        while pending:
            found, here = pending.pop()
            if isinstance(found, ast.Lambda):
                continue
            if isinstance(found, ast.Yield | ast.YieldFrom):
                self.flow.yields.append((found, here))
            elif isinstance(found, ast.Call):
                here = self.steps.call(found, here)
                standing = self._entered(found, standing)
            elif isinstance(found, ast.Await):
                self.steps.awaited(found, here)
            elif isinstance(found, ast.BoolOp) and isinstance(found.op, ast.And) and self._asks_gate(found.values[0]):
                pending += [(value, replace(here, gate=True)) for value in found.values[1:]]
                pending.append((found.values[0], here))
                continue
            elif isinstance(found, ast.IfExp) and self._asks_gate(found.test):
                pending += [(found.test, here), (found.body, replace(here, gate=True)), (found.orelse, here)]
                continue
            pending.extend((child, here) for child in reversed(children(found)))
        return standing

    def _entered(self, node: ast.Call, standing: Standing) -> Standing:
        kind = self.scopes.entered_by(node, self.where)
        if kind is not None:
            return replace(standing, scope=kind)
        first = node.args[0] if node.args else None
        on_stack = identifier(node.func).startswith("enter_") and isinstance(first, ast.Call)
        if on_stack and isinstance(first, ast.Call) and identifier(first.func) in TRANSACTIONS:
            return replace(standing, transaction=True)
        return standing

    def _asks_gate(self, node: ast.expr) -> bool:
        for found in walk(node):
            if isinstance(found, ast.Call) and GATE_METHODS.search(identifier(found.func)):
                return True
            if isinstance(found, ast.Name):
                for scope in enclosing(self.where):
                    for bound in scope.bindings.get(found.id, ()):
                        if isinstance(bound, ast.Call) and GATE_METHODS.search(identifier(bound.func)):
                            return True
        return False


def _first_expression(statement: ast.stmt) -> ast.expr:
    """The call that entered a scope by hand, for the place of a finding."""
    return next(node for node in walk(statement) if isinstance(node, ast.expr))


def _leaves(node: ast.If) -> bool:
    return bool(node.body) and isinstance(node.body[-1], LEAVING)


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _fires_once(node: ast.If) -> bool:
    """``if not self.warned: self.warned = True``, ``if key not in seen: seen.add(key)``."""
    asked = {ast.unparse(part) for part in walk(node.test) if isinstance(part, ast.Name | ast.Attribute)}
    for statement in node.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            if any(isinstance(t, ast.Name | ast.Attribute) and ast.unparse(t) in asked for t in statement.targets):
                return statement.value.value is True or statement.value.value is False
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            called = statement.value.func
            if isinstance(called, ast.Attribute) and called.attr == "add" and ast.unparse(called.value) in asked:
                return True
    return False
