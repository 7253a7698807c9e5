"""What the swept code defines: modules, classes, functions, and what their names are bound to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar, cast

from interlock.sweep.sources import Source
from interlock.sweep.syntax import children

Node = TypeVar("Node", bound=ast.AST)
SEPARATE = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
KEPT = {ast.Attribute, ast.Call, ast.Await, ast.While, ast.Assign, ast.BoolOp, ast.IfExp, ast.If, ast.Try}
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(eq=False)
class Namespace:
    """Where names are bound. ``bindings`` holds every value a name is given, in the order of the source."""

    name: str
    bindings: dict[str, list[ast.expr]] = field(default_factory=dict, kw_only=True)
    imports: dict[str, str] = field(default_factory=dict, kw_only=True)
    functions: dict[str, Function] = field(default_factory=dict, kw_only=True)
    classes: dict[str, Class] = field(default_factory=dict, kw_only=True)
    _own: dict[type[ast.AST], list[ast.AST]] | None = field(default=None, kw_only=True)

    def body(self) -> list[ast.AST]:
        """The nodes at the top of its code."""
        raise TypeError("only a module or a function has code")

    def own(self, kind: type[Node]) -> list[Node]:
        """Its nodes of one kind, without those of the functions inside; walked once."""
        if self._own is None:
            self._own = {}
            pending = self.body()
            while pending:
                node = pending.pop()
                if type(node) in KEPT:
                    self._own.setdefault(type(node), []).append(node)
                if not isinstance(node, SEPARATE):
                    pending += children(node)
        return cast("list[Node]", self._own.get(kind, []))


@dataclass(eq=False)
class Module(Namespace):
    """A file; ``stars`` are the modules whose names it imports all."""

    source: Source
    stars: list[str] = field(default_factory=list)
    # Those that run: not under ``if TYPE_CHECKING``.
    import_statements: list[ast.Import | ast.ImportFrom] = field(default_factory=list)

    def body(self) -> list[ast.AST]:
        """Its statements."""
        return list(self.source.tree.body)

    @property
    def module(self) -> Module:
        """Itself: every namespace names its module."""
        return self


@dataclass(eq=False)
class Class:
    """A class; ``attributes`` are the values given to ``self.x`` and to class attributes, each with its place."""

    name: str
    node: ast.ClassDef
    outer: Where
    methods: dict[str, Function] = field(default_factory=dict)
    attributes: dict[str, list[tuple[ast.expr, Where]]] = field(default_factory=dict)
    annotations: dict[str, ast.expr] = field(default_factory=dict)

    @property
    def module(self) -> Module:
        """The module it stands in."""
        return self.outer.module


@dataclass(eq=False)
class Function(Namespace):
    """A function, method or lambda."""

    node: FunctionNode
    outer: Where
    owner: Class | None = None
    module_names: set[str] = field(default_factory=set)  # declared `global`
    returns: list[ast.expr] = field(default_factory=list)

    def body(self) -> list[ast.AST]:
        """Its statements; a lambda's expression."""
        return [self.node.body] if isinstance(self.node, ast.Lambda) else list(self.node.body)

    @property
    def module(self) -> Module:
        """The module it stands in."""
        return self.outer.module

    @property
    def decorators(self) -> list[ast.expr]:
        """Outermost first."""
        return [] if isinstance(self.node, ast.Lambda) else self.node.decorator_list

    @property
    def annotated_return(self) -> ast.expr | None:
        """The annotation of what it returns."""
        return None if isinstance(self.node, ast.Lambda) else self.node.returns

    @property
    def is_async(self) -> bool:
        """Whether calling it makes a coroutine or an async generator."""
        return isinstance(self.node, ast.AsyncFunctionDef)

    def arguments(self) -> list[ast.arg]:
        """The named parameters, in order."""
        arguments = self.node.args
        return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]

    def annotation_of(self, parameter: str) -> ast.expr | None:
        """The annotation of a parameter."""
        return next((argument.annotation for argument in self.arguments() if argument.arg == parameter), None)

    @cached_property
    def parameters(self) -> set[str]:
        """The names of all parameters."""
        arguments = self.node.args
        rest = (arguments.vararg, arguments.kwarg)
        return {argument.arg for argument in (*self.arguments(), *(one for one in rest if one is not None))}

    def receiver(self) -> str | None:
        """The name of ``self`` or ``cls`` in a method."""
        if self.owner is None or any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in self.decorators):
            return None
        positional = [*self.node.args.posonlyargs, *self.node.args.args]
        return positional[0].arg if positional else None

    def passed(self, call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
        """Yield (parameter, argument) of a call of this function."""
        positional = [argument.arg for argument in (*self.node.args.posonlyargs, *self.node.args.args)]
        if positional and positional[0] == self.receiver():
            positional = positional[1:]
        rest = self.node.args.vararg
        for index, value in enumerate(call.args):
            if index < len(positional):
                yield positional[index], value
            elif rest is not None:
                yield rest.arg, value
        for keyword in call.keywords:
            if keyword.arg is not None:
                yield keyword.arg, keyword.value

    def with_defaults(self) -> Iterator[tuple[ast.arg, ast.expr]]:
        """Yield the parameters that have a default, with it."""
        arguments = self.node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        first = len(positional) - len(arguments.defaults)
        yield from zip(positional[first:], arguments.defaults, strict=True)
        for keyword, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if default is not None:
                yield keyword, default


Where = Module | Function


def enclosing(where: Where) -> Iterator[Where]:
    """The namespace and those around it, innermost first."""
    while isinstance(where, Function):
        yield where
        where = where.outer
    yield where
