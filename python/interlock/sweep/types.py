"""The class of a value, as far as assignments, annotations and call sites tell."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import TYPE_CHECKING

from interlock.sweep.symbols import Function, Where, enclosing
from interlock.sweep.syntax import walk
from interlock.sweep.vocabulary import MANAGERS, OTHER_DRIVERS, last

if TYPE_CHECKING:
    from interlock.sweep.project import Project

MAX_HOPS = 12
MAX_CALL_SITES = 8
POOL = "asyncpg.Pool"
MADE_BY = {"asyncpg.create_pool": POOL, "asyncpg.pool.create_pool": POOL}
TRANSPARENT = {"wait_for", "shield", "enter_async_context", "enter_context", "push_async_exit", "copy", "cast"}
WRAPPERS = {"Optional", "Annotated", "Union", "Final", "ClassVar", "Mapped", "Type", "type"}
ITERATORS = {"AsyncIterator", "Iterator", "AsyncGenerator", "Generator", "AsyncContextManager", "ContextManager"}
CONTAINERS = {"list", "List", "tuple", "Tuple", "Sequence", "Iterable", "set", "Set", "frozenset", "Collection"}


class Types:
    """Answers with dotted names; None is "not known"."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._parsed: dict[str, ast.expr | None] = {}

    def of(self, node: ast.expr, where: Where, hops: int = 0) -> str | None:
        """Return the dotted class of a value."""
        if hops > MAX_HOPS:
            return None
        key = ~id(node)
        if key in self.project.memo.kept:
            return self.project.memo.kept[key]
        return self.project.memo.answer(key, hops, lambda: self._of(node, where, hops))

    def _of(self, node: ast.expr, where: Where, hops: int) -> str | None:
        if isinstance(node, ast.Await | ast.NamedExpr):
            return self.of(node.value, where, hops + 1)
        if isinstance(node, ast.Call):
            return self._of_call(node, where, hops)
        if isinstance(node, ast.Name):
            return self._of_name(node.id, where, hops)
        if isinstance(node, ast.Attribute):
            return self._of_attribute(node, where, hops)
        if isinstance(node, ast.IfExp):
            return self.of(node.body, where, hops + 1) or self.of(node.orelse, where, hops + 1)
        if isinstance(node, ast.BoolOp):
            return self._first(((value, where) for value in node.values), hops)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            return self._first(self.project.shared.get(str(node.slice.value), ()), hops)
        if isinstance(node, ast.Starred):
            return self._of_element(node.value, where, hops)
        if isinstance(node, ast.Slice):
            return self.annotated(node.lower, where, hops + 1)
        return None

    def _first(self, values: Iterable[tuple[ast.expr, Where]], hops: int) -> str | None:
        for value, where in values:
            found = self.of(value, where, hops + 1)
            if found is not None:
                return found
        return None

    def _of_call(self, node: ast.Call, where: Where, hops: int) -> str | None:
        if isinstance(node.func, ast.Name) and node.func.id == "super":
            return None
        called = self.project.resolve(node.func, where, hops + 1)
        if called is None:
            return None
        if called in self.project.functions:
            return self._returned(self.project.functions[called], hops)
        if last(called) in TRANSPARENT and node.args:
            return self.of(node.args[-1] if last(called) == "cast" else node.args[0], where, hops + 1)
        if last(called) == "create_tenant_pools":
            return "interlock.tenancy.TenantPools"
        if called in MADE_BY:
            return MADE_BY[called]
        is_class = called in self.project.classes or last(called)[:1].isupper()
        return called if is_class or called.partition(".")[0] in OTHER_DRIVERS else None

    def _returned(self, function: Function, hops: int) -> str | None:
        if function.name.endswith(".__init__") and function.owner is not None:
            return function.owner.name
        found = self.annotated(function.annotated_return, function, hops)
        if found is not None:
            return found
        found = self._first(((value, function) for value in function.returns), hops + 1)
        if found is None and self.is_manager(function):
            yields = (node.value for node in walk(function.node) if isinstance(node, ast.Yield) and node.value)
            found = self._first(((value, function) for value in yields), hops + 1)
        return found

    def is_manager(self, function: Function) -> bool:
        """Whether a generator function is a context manager, whose yield runs in the caller's block."""
        if any(self.project.resolve(decorator, function.outer) in MANAGERS for decorator in function.decorators):
            return True
        wrapped = function.outer.bindings.values()  # system = contextmanager(_system)
        return any(
            isinstance(value, ast.Call)
            and len(value.args) == 1
            and isinstance(value.args[0], ast.Name)
            and self.project.resolve(value.func, function.outer) in MANAGERS
            and self.project.resolve(value.args[0], function.outer) == function.name
            for values in wrapped
            for value in values
        )

    def _of_name(self, name: str, where: Where, hops: int) -> str | None:
        for scope in enclosing(where):
            if isinstance(scope, Function) and name in scope.module_names:
                continue
            found = self._first(((value, scope) for value in scope.bindings.get(name, ())), hops + 1)
            if found is not None:
                return found
            if isinstance(scope, Function):
                if name in scope.parameters:
                    return self._of_parameter(name, scope, hops)
                if name in scope.bindings:
                    return None
            if name in scope.imports:
                return self._of_imported(self.project.canonical(scope.imports[name], hops), hops)
        dotted = self.project.name_in(name, where, hops + 1)
        return self._of_imported(dotted, hops) if dotted is not None and "." in dotted else None

    def _of_imported(self, dotted: str, hops: int) -> str | None:
        owner, _, name = dotted.rpartition(".")
        home = self.project.modules.get(owner)
        return (
            None if home is None else self._first(((value, home) for value in home.bindings.get(name, ())), hops + 1)
        )

    def _of_parameter(self, name: str, function: Function, hops: int) -> str | None:
        if function.owner is not None and function.receiver() == name:
            return function.owner.name
        annotation = function.annotation_of(name)
        if annotation is not None:
            return self.annotated(annotation, function, hops)
        default = next((value for argument, value in function.with_defaults() if argument.arg == name), None)
        found = None if default is None else self.of(default, function.outer, hops + 1)
        sites = self.project.arguments.get((function, name), ())[:MAX_CALL_SITES]
        return found or self._first(sites, hops + 2)

    def _of_attribute(self, node: ast.Attribute, where: Where, hops: int) -> str | None:
        owner = self.project.classes.get(self.of(node.value, where, hops + 1) or "")
        if owner is None:
            owner = self.project.classes.get(self.project.resolve(node.value, where, hops + 1) or "")
        if owner is not None:
            for name in (owner.name, *self.project.ancestors(owner)):
                cls = self.project.classes.get(name)
                if cls is not None and node.attr in cls.annotations:
                    return self.annotated(cls.annotations[node.attr], cls.outer, hops)
            method = self.project.method(owner, node.attr)
            if method is not None and any(last(_named(one)).endswith("property") for one in method.decorators):
                return self._returned(method, hops + 1)
            return self._first(self.project.attribute(owner, node.attr), hops + 1)
        base = self.project.resolve(node.value, where, hops + 1)
        if base in self.project.modules:
            return self._of_imported(f"{base}.{node.attr}", hops)
        return self._first(self.project.shared.get(node.attr, ()), hops + 1)

    def _of_element(self, iterable: ast.expr, where: Where, hops: int) -> str | None:
        if isinstance(iterable, ast.List | ast.Tuple | ast.Set):
            return self._first(((value, where) for value in iterable.elts), hops + 1)
        if isinstance(iterable, ast.Name):
            for scope in enclosing(where):
                if iterable.id in scope.bindings:
                    lists = [value for value in scope.bindings[iterable.id] if not isinstance(value, ast.Starred)]
                    return self._first(((element, scope) for value in lists for element in _elements(value)), hops + 1)
                if isinstance(scope, Function) and iterable.id in scope.parameters:
                    return self._element_annotated(scope.annotation_of(iterable.id), scope, hops)
        if isinstance(iterable, ast.Attribute):
            owner = self.project.classes.get(self.of(iterable.value, where, hops + 1) or "")
            if owner is not None:
                found = self._element_annotated(owner.annotations.get(iterable.attr), owner.outer, hops)
                values = self.project.attribute(owner, iterable.attr)
                return found or self._first(((one, at) for value, at in values for one in _elements(value)), hops + 1)
        return None

    def _element_annotated(self, node: ast.expr | None, where: Where, hops: int) -> str | None:
        if isinstance(node, ast.Subscript) and last(self.project.resolve(node.value, where, hops + 1)) in CONTAINERS:
            inner = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
            return self.annotated(inner, where, hops + 1)
        return None

    def annotated(self, node: ast.expr | None, where: Where, hops: int = 0) -> str | None:
        """Return the dotted class an annotation names, through strings, unions, ``Annotated`` and aliases."""
        if hops > MAX_HOPS:
            return None
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node = self._parse(node.value)
        if isinstance(node, ast.BinOp):  # X | None
            return self.annotated(node.left, where, hops + 1) or self.annotated(node.right, where, hops + 1)
        if isinstance(node, ast.Subscript):
            outer = self.project.resolve(node.value, where, hops + 1) or ""
            if last(outer) in WRAPPERS | ITERATORS | {"Awaitable", "Coroutine"}:
                inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                inner = inner[-1:] if last(outer) == "Coroutine" else inner
                return next((name for one in inner if (name := self.annotated(one, where, hops + 1))), None)
            return outer or None
        if isinstance(node, ast.Name | ast.Attribute):
            return self._aliased(node, where, hops)
        return None

    def _aliased(self, node: ast.Name | ast.Attribute, where: Where, hops: int) -> str | None:
        dotted = self.project.resolve(node, where, hops + 1)
        owner, _, name = (dotted or "").rpartition(".")
        home = self.project.modules.get(owner)
        if home is not None and name in home.bindings:  # PoolDep = Annotated[Pool, Depends(…)]
            return next(
                (found for value in home.bindings[name] if (found := self.annotated(value, home, hops + 1))), None
            )
        return None if dotted in {"typing.Any", "object", "Any", "typing.Self"} else dotted

    def _parse(self, text: str) -> ast.expr | None:
        if text not in self._parsed:
            try:
                self._parsed[text] = ast.parse(text, mode="eval").body
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                self._parsed[text] = None
        return self._parsed[text]


def _elements(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return node.elts
    return [node.elt] if isinstance(node, ast.ListComp) else []


def _named(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
