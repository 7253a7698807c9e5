"""Fills the symbols of a module from its syntax tree."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from interlock.sweep.sources import Source
from interlock.sweep.symbols import Class, Function, FunctionNode, Module, Where
from interlock.sweep.syntax import children

DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass
class Definitions:
    """Everything the swept modules define, by dotted name."""

    modules: dict[str, Module] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    classes: dict[str, Class] = field(default_factory=dict)
    # A second definition of a name hides the first, but is code all the same.
    all_functions: list[Function] = field(default_factory=list)
    # app.state.name = value, ctx["name"] = value: how services share what they have.
    shared: dict[str, list[tuple[ast.expr, Where]]] = field(default_factory=dict)


def collect(source: Source, into: Definitions) -> None:
    """Add a module."""
    module = Module(source.module, source)
    into.modules[source.module] = module
    _Collector(into, module).body(source.tree.body, module, None)


class _Collector:
    def __init__(self, found: Definitions, module: Module) -> None:
        self.found, self.module = found, module
        self._for_types: set[int] = set()

    def body(self, body: list[ast.stmt], where: Where, owner: Class | None) -> None:
        """Collect a block and the blocks in it; bodies of functions and classes are namespaces of their own."""
        pending = list(reversed(body))
        while pending:
            statement = pending.pop()
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                self._function(statement, where, owner)
            elif isinstance(statement, ast.ClassDef):
                self._class(statement, where, owner)
            else:
                self._statement(statement, where, owner)
                if isinstance(statement, ast.If) and _dotted(statement.test) == "TYPE_CHECKING":
                    self._for_types.update(map(id, statement.body))
                inner: list[ast.stmt] = []
                for child in children(statement):
                    if isinstance(child, ast.stmt):
                        inner.append(child)
                    elif isinstance(child, ast.ExceptHandler | ast.match_case):
                        inner += child.body
                    elif isinstance(child, ast.expr):
                        self._expression(child, where)
                pending.extend(reversed(inner))

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, where: Where, owner: Class | None) -> None:
        prefix = owner.name if owner is not None else where.name
        function = Function(f"{prefix}.{node.name}", node, where, owner)
        self.found.functions[function.name] = function
        self.found.all_functions.append(function)
        if owner is not None:
            owner.methods[node.name] = function
        else:
            where.functions[node.name] = function
        self.body(node.body, function, None)

    def _class(self, node: ast.ClassDef, where: Where, owner: Class | None) -> None:
        prefix = owner.name if owner is not None else where.name
        cls = Class(f"{prefix}.{node.name}", node, where)
        self.found.classes[cls.name] = cls
        if owner is None:
            where.classes[node.name] = cls
        self.body(node.body, where, cls)

    def _statement(self, node: ast.stmt, where: Where, owner: Class | None) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._import(node, where)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._bind(target, node.value, where, owner)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                self._bind(node.target, node.value, where, owner)
            self._annotate(node, where, owner)
        elif isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                if item.optional_vars is not None:
                    self._bind(item.optional_vars, item.context_expr, where, owner)
        elif isinstance(node, ast.For | ast.AsyncFor):
            self._bind(node.target, element_of(node.iter), where, owner)
        elif isinstance(node, ast.Global) and isinstance(where, Function):
            where.module_names.update(node.names)
        elif isinstance(node, ast.Return) and node.value is not None and isinstance(where, Function):
            where.returns.append(node.value)

    def _expression(self, node: ast.expr, where: Where) -> None:
        """Names that an expression binds: comprehension targets and ``:=``."""
        pending: list[ast.AST] = [node]
        while pending:
            found = pending.pop()
            if isinstance(found, ast.comprehension):
                self._bind(found.target, element_of(found.iter), where, None)
            elif isinstance(found, ast.NamedExpr):
                self._bind(found.target, found.value, where, None)
            if not isinstance(found, ast.Name | ast.Constant):
                pending += children(found)

    def _bind(self, target: ast.expr, value: ast.expr, where: Where, owner: Class | None) -> None:
        if isinstance(target, ast.Name):
            if owner is not None:
                owner.attributes.setdefault(target.id, []).append((value, where))
            else:
                is_global = isinstance(where, Function) and target.id in where.module_names
                home = self.module if is_global else where
                home.bindings.setdefault(target.id, []).append(value)
        elif isinstance(target, ast.Tuple | ast.List):
            values = value.elts if isinstance(value, ast.Tuple | ast.List) else []
            if len(values) == len(target.elts):
                for one, its in zip(target.elts, values, strict=True):
                    self._bind(one, its, where, owner)
        elif isinstance(target, ast.Attribute):
            method = _method_of(target.value, where)
            if method is not None and method.owner is not None:
                method.owner.attributes.setdefault(target.attr, []).append((value, where))
            else:
                self.found.shared.setdefault(target.attr, []).append((value, where))
        elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
            self.found.shared.setdefault(str(target.slice.value), []).append((value, where))

    def _annotate(self, node: ast.AnnAssign, where: Where, owner: Class | None) -> None:
        if isinstance(node.target, ast.Name) and owner is not None:
            owner.annotations[node.target.id] = node.annotation
        elif isinstance(node.target, ast.Name):
            # A declaration without a value still tells the type of the name.
            where.bindings.setdefault(node.target.id, []).append(annotated_as(node.annotation))
        elif isinstance(node.target, ast.Attribute):
            method = _method_of(node.target.value, where)
            if method is not None and method.owner is not None:
                method.owner.annotations.setdefault(node.target.attr, node.annotation)

    def _import(self, node: ast.Import | ast.ImportFrom, where: Where) -> None:
        if id(node) not in self._for_types:
            self.module.import_statements.append(node)
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                where.imports[alias.asname or first] = alias.name if alias.asname else first
            return
        base = node.module or ""
        if node.level:
            parts = self.module.name.split(".")
            drop = node.level - (1 if self.module.source.is_package else 0)
            package = parts[: max(len(parts) - drop, 0)] if drop else parts
            base = ".".join([*package, *([node.module] if node.module else [])])
        for alias in node.names:
            if alias.name == "*":
                self.module.stars.append(base)
            else:
                where.imports[alias.asname or alias.name] = f"{base}.{alias.name}" if base else alias.name


def _dotted(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def element_of(iterable: ast.expr) -> ast.expr:
    """What a loop variable is bound to; no expression of Python says it, so a starred one stands for it."""
    return ast.copy_location(ast.Starred(value=iterable, ctx=ast.Load()), iterable)


def annotated_as(annotation: ast.expr) -> ast.expr:
    """A value of which only the annotation is known; a slice, which is no value in Python, stands for it."""
    return ast.copy_location(ast.Slice(lower=annotation), annotation)


def _method_of(node: ast.expr, where: Where) -> Function | None:
    """The method whose ``self`` a name is, also seen from a function inside it."""
    while isinstance(where, Function) and isinstance(node, ast.Name):
        if where.receiver() == node.id:
            return where
        where = where.outer
    return None


__all__ = ["DEFINITIONS", "Definitions", "FunctionNode", "annotated_as", "collect", "element_of"]
