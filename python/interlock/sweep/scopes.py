"""Recognises an entered scope: called directly, through an alias, a partial, a wrapper or a decorator."""

from __future__ import annotations

import ast

from interlock.sweep.sources import walk
from interlock.sweep.symbols import Function, Module, Project
from interlock.sweep.vocabulary import SCOPES, last

MANAGERS = {"contextlib.contextmanager", "contextlib.asynccontextmanager"}


class Scopes:
    """Answers which scope, if any, an expression opens."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._wrappers: dict[str, str | None] = {}

    def opened_by(self, node: ast.expr, function: Function | None, module: Module, hops: int = 0) -> str | None:
        """Return "tenant" or "pre-org" if entering (or decorating with) ``node`` opens a scope."""
        if hops > 8:
            return None
        if isinstance(node, ast.Await):
            return self.opened_by(node.value, function, module, hops + 1)
        if isinstance(node, ast.Call):
            called = self.project.resolve(node.func, function, module)
            if called is None:
                return None
            return SCOPES.get(last(called)) or self._wrapper(called)
        if isinstance(node, ast.Name | ast.Attribute):
            return self._stored(node, function, module, hops)
        return None

    def around(self, function: Function) -> str | None:
        """Return the scope a function's decorators open around its body."""
        for decorator in function.node.decorator_list:
            kind = self.opened_by(decorator, function.parent, function.module)
            if kind is None and isinstance(decorator, ast.Name | ast.Attribute | ast.Call):
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                kind = self._decorator(self.project.function_at(called, function.parent, function.module))
            if kind is not None:
                return kind
        return None

    def is_manager(self, function: Function) -> bool:
        """Whether a generator function is a context manager, whose yield runs in the caller's block."""
        return any(
            self.project.resolve(decorator, function.parent, function.module) in MANAGERS
            for decorator in function.node.decorator_list
        )

    def _stored(self, node: ast.expr, function: Function | None, module: Module, hops: int) -> str | None:
        """``SYSTEM = pre_org_resolution_scope("…")``, here or in another module, then ``with SYSTEM:``."""
        if isinstance(node, ast.Name):
            scope = function
            while scope is not None:
                if node.id in scope.bindings:
                    return self.opened_by(scope.bindings[node.id], scope, module, hops + 1)
                scope = scope.parent
            if node.id in module.bindings:
                return self.opened_by(module.bindings[node.id], None, module, hops + 1)
        name = self.project.resolve(node, function, module)
        owner, _, stored = (name or "").rpartition(".")
        if owner in self.project.modules and stored in self.project.modules[owner].bindings:
            home = self.project.modules[owner]
            return self.opened_by(home.bindings[stored], None, home, hops + 1)
        return None

    def _wrapper(self, name: str) -> str | None:
        """The scope that calling one of the project's own functions opens."""
        function = self.project.functions.get(name)
        if function is None:
            return None
        if name not in self._wrappers:
            self._wrappers[name] = None  # ends a recursion
            self._wrappers[name] = self._returned(function) or self._yielded(function)
        return self._wrappers[name]

    def _returned(self, function: Function) -> str | None:
        for node in walk(function.node):
            if isinstance(node, ast.Return) and node.value is not None:
                kind = self.opened_by(node.value, function, function.module)
                if kind is not None:
                    return kind
        return None

    def _yielded(self, function: Function) -> str | None:
        if not self.is_manager(function):
            return None
        for node in walk(function.node):
            if isinstance(node, ast.With | ast.AsyncWith) and any(isinstance(n, ast.Yield) for n in walk(node)):
                for item in node.items:
                    kind = self.opened_by(item.context_expr, function, function.module)
                    if kind is not None:
                        return kind
        return None

    def _decorator(self, function: Function | None) -> str | None:
        """A decorator written by hand: it returns an inner function that opens a scope around the call."""
        if function is None:
            return None
        pending = list(function.nested.values())
        while pending:
            inner = pending.pop()
            pending.extend(inner.nested.values())
            for node in walk(inner.node):
                for item in node.items if isinstance(node, ast.With | ast.AsyncWith) else ():
                    kind = self.opened_by(item.context_expr, inner, inner.module)
                    if kind is not None:
                        return kind
        return None
