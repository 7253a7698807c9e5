"""Which functions an expression runs when it is called: names, lambdas, partials, factories, callable objects."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from interlock.sweep.project import Project
from interlock.sweep.symbols import Class, Function, Where, enclosing
from interlock.sweep.vocabulary import last

if TYPE_CHECKING:
    from interlock.sweep.flows import Flows

MAX_HOPS = 6
MAX_SITES = 32


class Callables:
    """Answers with functions of the project; an empty list is "none that is known"."""

    def __init__(self, project: Project, flows: Flows) -> None:
        self.project, self.flows = project, flows
        self._known: dict[int, list[Function]] = {}

    def called_by(self, node: ast.expr, where: Where, hops: int = 0) -> list[Function]:
        """What calling ``node`` runs. For a class that is its ``__init__``."""
        if hops > MAX_HOPS:
            return []
        if isinstance(node, ast.Lambda):
            return [self.project.lambda_at(node, where)]
        if isinstance(node, ast.IfExp):
            return [*self.called_by(node.body, where, hops + 1), *self.called_by(node.orelse, where, hops + 1)]
        if isinstance(node, ast.BoolOp):
            return [found for value in node.values for found in self.called_by(value, where, hops + 1)]
        if isinstance(node, ast.Call):
            return self._made_by(node, where, hops)
        if isinstance(node, ast.Name | ast.Attribute):
            if id(node) not in self._known:
                found = self._named(node, where, hops)
                if hops:
                    return found  # cut off sooner than a question of its own
                self._known[id(node)] = found
            return self._known[id(node)]
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and ":" in node.value:
            target = self.project.functions.get(self.project.canonical(node.value.replace(":", ".", 1)))
            return [] if target is None else [target]  # a scheduler's "package.module:function"
        return []

    def _named(self, node: ast.Name | ast.Attribute, where: Where, hops: int) -> list[Function]:
        name = self.project.resolve(node, where)
        if name in self.project.classes:
            made = self.project.method(self.project.classes[name], "__init__")
            return [] if made is None else [made]
        function = self.project.functions.get(name or "")
        overriding = self._overriding(node, where)
        if function is not None or overriding:
            return [*([] if function is None else [function]), *overriding]
        cls = self.project.classes.get(self.project.type_of(node, where) or "")
        if cls is not None:
            return self.of_instance(cls)
        if isinstance(node, ast.Name):
            return [
                found for scope, value in _bound(node.id, where) for found in self.called_by(value, scope, hops + 1)
            ]
        return self._stored(node, where, hops)

    def of_instance(self, cls: Class) -> list[Function]:
        """What calling an object of a class runs."""
        method = self.project.method(cls, "__call__")
        return [] if method is None else [method]

    def _overriding(self, node: ast.Name | ast.Attribute, where: Where) -> list[Function]:
        """``self.tick()`` and ``parameter.tick()`` may run what a subclass puts in its place, or adds."""
        if not isinstance(node, ast.Attribute):
            return []
        owner = self.project.classes.get(self.project.type_of(node.value, where) or "")
        if owner is None:
            return []
        if isinstance(node.value, ast.Name) and any(
            isinstance(scope, Function) and node.value.id in scope.parameters for scope in enclosing(where)
        ):
            return self.project.overrides(owner, node.attr)
        if isinstance(node.value, ast.Attribute) and self._is_annotated(node.value, where):
            return self.project.overrides(owner, node.attr)
        return []

    def _is_annotated(self, node: ast.Attribute, where: Where) -> bool:
        """Whether an attribute got its class from an annotation or a parameter, and so may hold a subclass."""
        owner = self.project.classes.get(self.project.type_of(node.value, where) or "")
        if owner is None:
            return False
        values = self.project.attribute(owner, node.attr)
        return node.attr in owner.annotations or any(isinstance(value, ast.Name) for value, _ in values)

    def _stored(self, node: ast.Attribute, where: Where, hops: int) -> list[Function]:
        """``self.job()``, where ``job`` was given to the constructor."""
        owner = self.project.classes.get(self.project.type_of(node.value, where) or "")
        if owner is None:
            return []
        found: list[Function] = []
        for value, place in self.project.attribute(owner, node.attr):
            if isinstance(value, ast.Name) and isinstance(place, Function) and value.id in place.parameters:
                for argument, site in self.project.arguments.get((place, value.id), ())[:MAX_SITES]:
                    found += self.called_by(argument, site, hops + 1)
            elif not isinstance(value, ast.Starred):
                found += self.called_by(value, place, hops + 1)
        return found

    def _made_by(self, node: ast.Call, where: Where, hops: int) -> list[Function]:
        """``partial(f)``, ``decorator(f)``, ``factory()``, ``CallableClass()``."""
        called = self.project.resolve(node.func, where)
        if last(called) in {"partial", "partialmethod"} and node.args:
            return self.called_by(node.args[0], where, hops + 1)
        if self.flows.scopes.opened_by(node.func, where) is not None:
            return []  # tenant_scope(org)(f): whatever it runs has its scope
        if called in self.project.classes:
            return self.of_instance(self.project.classes[called])
        found: list[Function] = []
        for factory in self.called_by(node.func, where, hops + 1):
            decorated = list(self.flows.decorated(factory, node))
            if decorated:
                for argument, scope in decorated:
                    found += [] if scope is not None else self.called_by(argument, where, hops + 1)
            else:
                found += self.returned(factory, hops)
        return found

    def returned(self, factory: Function, hops: int = 0) -> list[Function]:
        """The functions a factory returns."""
        found: list[Function] = []
        for value in factory.returns:
            if isinstance(value, ast.Name | ast.Lambda | ast.Attribute):
                found += self.called_by(value, factory, hops + 1)
        return found


def _bound(name: str, where: Where) -> Iterator[tuple[Where, ast.expr]]:
    for scope in enclosing(where):
        if name in scope.bindings:
            yield from ((scope, value) for value in scope.bindings[name] if isinstance(value, _CALLABLE))
            return


_CALLABLE = ast.Name | ast.Attribute | ast.Lambda | ast.Call | ast.IfExp
