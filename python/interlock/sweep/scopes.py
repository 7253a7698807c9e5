"""Recognises an entered scope: called directly, through an alias, a partial, a wrapper or a decorator."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from interlock.sweep.project import Project
from interlock.sweep.symbols import Class, Function, Where, enclosing
from interlock.sweep.syntax import walk
from interlock.sweep.vocabulary import MANUAL_ENTERS, SCOPES, STACK_ENTERS, last

if TYPE_CHECKING:
    from interlock.sweep.flows import Flows

MAX_HOPS = 8
MAX_DEPTH = 24  # wrappers of wrappers
# Entered with the capability made at start-up, which is the one sanctioned way out of a tenant.
BREAK_GLASS = "break-glass"


class Scopes:
    """Answers which scope, if any, an expression opens: "tenant", "pre-org" or "break-glass"."""

    def __init__(self, project: Project, flows: Flows) -> None:
        self.project, self.flows = project, flows
        self._wrappers: dict[str, str | None] = {}
        self._around: dict[Function, str | None] = {}
        self._depth = 0

    def opened_by(self, node: ast.expr, where: Where, hops: int = 0) -> str | None:
        """Return the scope that entering (or decorating with) ``node`` opens."""
        if hops > MAX_HOPS:
            return None
        if isinstance(node, ast.Await):
            return self.opened_by(node.value, where, hops + 1)
        if isinstance(node, ast.IfExp):  # one that is nullcontext() opens none
            one = self.opened_by(node.body, where, hops + 1)
            return one and self.opened_by(node.orelse, where, hops + 1) and one
        if isinstance(node, ast.Call):
            return self._by_call(node, where, hops)
        if isinstance(node, ast.Name | ast.Attribute):
            return self._stored(node, where, hops)
        return None

    def entered_by(self, node: ast.Call, where: Where) -> str | None:
        """Return the scope that a call enters for what follows: on an exit stack, or by ``__enter__`` by hand."""
        if not isinstance(node.func, ast.Attribute):
            return None
        if node.func.attr in STACK_ENTERS and node.args:
            return self.opened_by(node.args[0], where)
        return self.opened_by(node.func.value, where) if node.func.attr in MANUAL_ENTERS else None

    def around(self, function: Function) -> str | None:
        """Return the scope a function's decorators open around its body.

        Only those below a decorator that registers the function count: what was registered has no others.
        """
        if function not in self._around:
            self._around[function] = None  # ends a recursion
            self._around[function] = self._by_decorators(function) or self._by_class(function.owner)
        return self._around[function]

    # --- how

    def _by_call(self, node: ast.Call, where: Where, hops: int) -> str | None:
        called = self.project.resolve(node.func, where)
        kind = SCOPES.get(last(called))
        if kind is not None:
            return BREAK_GLASS if any(keyword.arg == "capability" for keyword in node.keywords) else kind
        if called in self.project.classes:
            return self._entering(self.project.classes[called])
        if called in self.project.functions:
            return self._wrapper(self.project.functions[called])
        if isinstance(node.func, ast.Name):  # made = functools.partial(tenant_scope, 1)
            return self._stored(node.func, where, hops + 1)
        return None

    def _stored(self, node: ast.Name | ast.Attribute, where: Where, hops: int) -> str | None:
        """``SYSTEM = pre_org_resolution_scope("…")``, here, in another module or in an attribute."""
        if isinstance(node, ast.Name):
            for scope in enclosing(where):
                for value in scope.bindings.get(node.id, ()):
                    kind = self.opened_by(value, scope, hops + 1)
                    if kind is not None:
                        return kind
        owner = self.project.classes.get(self.project.type_of(node, where) or "")
        if owner is not None:
            return self._entering(owner)
        if isinstance(node, ast.Attribute):
            holder = self.project.classes.get(self.project.type_of(node.value, where) or "")
            for value, place in [] if holder is None else self.project.attribute(holder, node.attr):
                kind = self.opened_by(value, place, hops + 1)
                if kind is not None:
                    return kind
        name = self.project.resolve(node, where)
        home, _, stored = (name or "").rpartition(".")
        values = self.project.modules[home].bindings.get(stored, ()) if home in self.project.modules else ()
        kinds = (self.opened_by(value, self.project.modules[home], hops + 1) for value in values)
        return next((kind for kind in kinds if kind is not None), None)

    def _wrapper(self, function: Function) -> str | None:
        """The scope that calling one of the project's own functions opens: it returns it, or yields within it."""
        if function.name not in self._wrappers:
            if self._depth >= MAX_DEPTH:
                return None
            self._wrappers[function.name] = None  # ends a recursion
            self._depth += 1
            kinds = (self.opened_by(value, function) for value in function.returns)
            self._wrappers[function.name] = next((kind for kind in kinds if kind is not None), None) or (
                self._yielded(function) if self.project.types.is_manager(function) else None
            )
            self._depth -= 1
        return self._wrappers[function.name]

    def _yielded(self, function: Function) -> str | None:
        """The scope at every yield of a context manager."""
        kinds = [standing.scope for _, standing in self.flows.of(function).yields]
        return kinds[0] if kinds and all(kinds) else None

    def _entering(self, cls: Class) -> str | None:
        """A context manager class of the project that enters a scope by hand, or inherits from one that does."""
        if cls.name not in self._wrappers:
            self._wrappers[cls.name] = None
            for name in ("__aenter__", "__enter__"):
                method = self.project.method(cls, name)
                for node in [] if method is None else method.own(ast.Call):
                    kind = None if method is None else self.entered_by(node, method)
                    if kind is not None:
                        self._wrappers[cls.name] = kind
        return self._wrappers[cls.name]

    def _by_decorators(self, function: Function) -> str | None:
        decorators = function.decorators
        registers = self.flows.registrations.registers
        last_registering = max((i for i, one in enumerate(decorators) if registers(function, one)), default=-1)
        for decorator in decorators[last_registering + 1 :]:
            kind = self.opened_by(decorator, function.outer) or self.flows.scope_of_decorator(
                decorator, function.outer
            )
            if kind is not None:
                return kind
        rebound = function.outer.bindings.get(last(function.name), ()) if function.owner is None else ()
        for value in rebound:  # tick = pre_org_resolution_scope("tick")(tick)
            if isinstance(value, ast.Call) and self.opened_by(value.func, function.outer) is not None:
                return self.opened_by(value.func, function.outer)
        return None

    def _by_class(self, cls: Class | None) -> str | None:
        """A class decorator that applies a scope to the methods."""
        for decorator in [] if cls is None else cls.node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            for function in self.flows.callables.called_by(called, cls.outer) if cls is not None else ():
                for node in walk(function.node):
                    if isinstance(node, ast.Call) and self.opened_by(node, function) is not None:
                        return self.opened_by(node, function)
        return None
