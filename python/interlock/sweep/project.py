"""Names: what a name, attribute or call in the swept code refers to, across the modules of a package."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from interlock.sweep.collect import Definitions, collect
from interlock.sweep.memo import Memo
from interlock.sweep.sources import Source
from interlock.sweep.symbols import Class, Function, Module, Where, enclosing
from interlock.sweep.types import Types

MAX_ANCESTORS = 64
MAX_HOPS = 12  # aliases of aliases; also what ends a cyclic import


class Project(Definitions):
    """All modules, and the resolution of names among them."""

    def __init__(self, sources: list[Source]) -> None:
        super().__init__()
        self._lambdas: dict[int, Function] = {}
        for source in sources:
            collect(source, self)
        self.memo = Memo()
        self.types = Types(self)
        self._bases: dict[Class, list[str]] = {}
        for space in self.places():
            self._name_siblings(space)
        self._subclasses: dict[str, list[Class]] = {}
        for cls in self.classes.values():
            for base in self.bases(cls):
                self._subclasses.setdefault(base, []).append(cls)
        # What each parameter is given, at the calls that are plain to see.
        self.arguments: dict[tuple[Function, str], list[tuple[ast.expr, Where]]] = {}
        self._note_arguments()

    def resolve(self, node: ast.expr, where: Where, hops: int = 0) -> str | None:
        """Return the dotted name an expression refers to; aliases and ``functools.partial`` are followed."""
        if hops > MAX_HOPS:
            return None
        key = id(node)
        if key in self.memo.kept:
            return self.memo.kept[key]
        return self.memo.answer(key, hops, lambda: self._resolve(node, where, hops))

    def type_of(self, node: ast.expr, where: Where) -> str | None:
        """Return the dotted class of a value, as far as assignments and annotations tell."""
        return self.types.of(node, where)

    def lambda_at(self, node: ast.Lambda, where: Where) -> Function:
        """The function a lambda makes."""
        if id(node) not in self._lambdas:
            self._lambdas[id(node)] = Function(f"{where.name}.<lambda>", node, where, returns=[node.body])
        return self._lambdas[id(node)]

    def places(self) -> Iterator[Where]:
        """Every module, function and lambda; lambdas that come to light meanwhile come last."""
        yield from self.modules.values()
        yield from self.all_functions
        seen = 0
        while seen < len(self._lambdas):
            found = list(self._lambdas.values())[seen:]
            seen += len(found)
            yield from found

    def bases(self, cls: Class) -> list[str]:
        """The dotted names of a class's bases."""
        if cls not in self._bases:
            self._bases[cls] = []  # ends a class that is its own base
            nodes = (base.value if isinstance(base, ast.Subscript) else base for base in cls.node.bases)
            self._bases[cls] = [name for node in nodes if (name := self.resolve(node, cls.outer)) is not None]
        return self._bases[cls]

    def ancestors(self, cls: Class) -> Iterator[str]:
        """The dotted names of the classes a class inherits from, nearest first; no more than people write."""
        seen: set[str] = {cls.name}
        waiting = list(self.bases(cls))
        while waiting and len(seen) <= MAX_ANCESTORS:
            name = waiting.pop(0)
            if name not in seen:
                seen.add(name)
                yield name
                waiting += self.bases(self.classes[name]) if name in self.classes else []

    def method(self, cls: Class, name: str) -> Function | None:
        """Look a method up in a class and its bases of the project."""
        return cls.methods.get(name) or self.inherited(cls, name)

    def inherited(self, cls: Class, name: str) -> Function | None:
        """Look a method up in the bases only, as ``super()`` does."""
        for base in self.ancestors(cls):
            if base in self.classes and name in self.classes[base].methods:
                return self.classes[base].methods[name]
        return None

    def overrides(self, cls: Class, name: str) -> list[Function]:
        """The methods that subclasses of the project put in place of a class's own."""
        found: list[Function] = []
        seen = {cls.name}
        waiting = list(self._subclasses.get(cls.name, ()))
        while waiting:
            subclass = waiting.pop()
            if subclass.name not in seen:
                seen.add(subclass.name)
                waiting += self._subclasses.get(subclass.name, ())
                if name in subclass.methods:
                    found.append(subclass.methods[name])
        return found

    def is_a(self, name: str, wanted: set[str]) -> bool:
        """Whether a dotted class is one of ``wanted`` or inherits from one."""
        return name in wanted or (
            name in self.classes and any(n in wanted for n in self.ancestors(self.classes[name]))
        )

    # --- how

    def _note_arguments(self) -> None:
        for where in self.places():
            for node in where.own(ast.Call):
                if node.args or node.keywords:
                    called = self.resolve(node.func, where) or ""
                    cls = self.classes.get(called)
                    target = self.functions.get(called) if cls is None else self.method(cls, "__init__")
                    if target is not None:
                        for parameter, argument in target.passed(node):
                            self.arguments.setdefault((target, parameter), []).append((argument, where))
        # What was looked up so far did not know the arguments.
        self.memo.forget()

    def _resolve(self, node: ast.expr, where: Where, hops: int) -> str | None:
        if isinstance(node, ast.Name):
            return self.name_in(node.id, where, hops)
        if isinstance(node, ast.Attribute):
            if _is_super(node.value):
                return self._above(node.attr, where)
            instance = self.types.of(node.value, where, hops + 1)
            if instance is not None:
                return self._member(instance, node.attr, hops)
            base = self.resolve(node.value, where, hops + 1)
            return None if base is None else self.canonical(f"{base}.{node.attr}", hops)
        if isinstance(node, ast.Call) and node.args and self._is_partial(node, where, hops):
            return self.resolve(node.args[0], where, hops + 1)
        if isinstance(node, ast.Subscript):  # Generic[T]
            return self.resolve(node.value, where, hops + 1)
        return None

    def _is_partial(self, node: ast.Call, where: Where, hops: int) -> bool:
        return self.resolve(node.func, where, hops + 1) in {"functools.partial", "functools.partialmethod"}

    def name_in(self, name: str, where: Where, hops: int) -> str | None:
        """Resolve a bare name from the inside out; a name that nothing binds stands for itself."""
        for scope in enclosing(where):
            if isinstance(scope, Function) and name in scope.module_names:
                continue
            if name in scope.functions:
                return scope.functions[name].name
            if name in scope.classes:
                return scope.classes[name].name
            if name in scope.imports:
                return self.canonical(scope.imports[name], hops)
            for value in reversed(scope.bindings.get(name, ())):
                found = self.resolve(value, scope, hops + 1) if isinstance(value, _REFERENCES) else None
                if found is not None:
                    return found
            if isinstance(scope, Module):
                if name in scope.bindings:
                    return f"{scope.name}.{name}"
                return self._starred(name, scope, hops) or name
            if name in scope.bindings or name in scope.parameters:
                return None
        return name

    def _starred(self, name: str, module: Module, hops: int) -> str | None:
        for star in module.stars:
            home = self.modules.get(star)
            if home is not None and hops <= MAX_HOPS:
                if name in home.functions or name in home.classes or name in home.imports or name in home.bindings:
                    return self.canonical(f"{star}.{name}", hops + 1)
                found = self._starred(name, home, hops + 1)
                if found is not None:
                    return found
        return None

    def canonical(self, dotted: str, hops: int = 0) -> str:
        """Follow re-exports: ``package.name`` imported from ``package.module``; and inherited methods."""
        if dotted in self.functions or dotted in self.classes or hops > MAX_HOPS:
            return dotted
        owner, _, name = dotted.rpartition(".")
        home = self.modules.get(owner)
        # What a package binds hides its module of the same name: `from .tick import tick`.
        if dotted in self.modules and (home is None or home.imports.get(name, dotted) == dotted):
            return dotted
        if owner in self.classes:
            return self._member(owner, name, hops + 1)
        if owner in self.modules:
            found = self.name_in(name, self.modules[owner], hops + 1)
            return dotted if found in {None, name} else str(found)
        if owner and "." in owner:
            outer = self.canonical(owner, hops + 1)
            if outer != owner:
                return self.canonical(f"{outer}.{name}", hops + 1)
        return dotted

    def _member(self, class_name: str, name: str, hops: int) -> str:
        cls = self.classes.get(class_name)
        if cls is not None:
            method = self.method(cls, name)
            if method is not None:
                return method.name
            for value, where in self.attribute(cls, name):
                found = self.resolve(value, where, hops + 1) if isinstance(value, _REFERENCES) else None
                if found is not None:
                    return found
        return f"{class_name}.{name}"

    def attribute(self, cls: Class, name: str) -> list[tuple[ast.expr, Where]]:
        """The values of an attribute, in the class or the nearest base that has it."""
        for owner in (cls.name, *self.ancestors(cls)):
            if owner in self.classes and name in self.classes[owner].attributes:
                return self.classes[owner].attributes[name]
        return []

    def _above(self, name: str, where: Where) -> str | None:
        for scope in enclosing(where):
            if isinstance(scope, Function) and scope.owner is not None:
                method = self.inherited(scope.owner, name)
                return None if method is None else method.name
        return None

    def _name_siblings(self, space: Where) -> None:
        """``import db`` beside ``db.py`` means that file, when the folder is on the path as scripts have it."""
        folder, _, _ = space.module.name.rpartition(".")
        if not folder or space.module.source.in_package:
            return
        for name, dotted in space.imports.items():
            first = dotted.partition(".")[0]
            if first not in self.modules and f"{folder}.{first}" in self.modules:
                space.imports[name] = f"{folder}.{dotted}"
        if isinstance(space, Module):
            space.stars = [f"{folder}.{star}" if f"{folder}.{star}" in self.modules else star for star in space.stars]


_REFERENCES = ast.Name | ast.Attribute | ast.Call


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"
