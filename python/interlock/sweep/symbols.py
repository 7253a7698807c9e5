"""Names: what a name, attribute or call in the swept code refers to, across the modules of a package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from interlock.sweep.sources import Source, children

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
MAX_HOPS = 12  # aliases of aliases; also what ends a cyclic import


@dataclass(eq=False)
class Class:
    """A class of the swept code; ``attributes`` are the values given to ``self.x`` and to class attributes."""

    name: str
    node: ast.ClassDef
    module: Module
    methods: dict[str, Function] = field(default_factory=dict)
    attributes: dict[str, tuple[ast.expr, Function | None]] = field(default_factory=dict)
    annotations: dict[str, ast.expr] = field(default_factory=dict)


@dataclass(eq=False)
class Function:
    """A function or method of the swept code, with what its local names are bound to."""

    name: str
    node: FunctionNode
    module: Module
    owner: Class | None = None
    parent: Function | None = None
    nested: dict[str, Function] = field(default_factory=dict)
    bindings: dict[str, ast.expr] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """``module.function`` as shown in a trail."""
        return self.name

    def annotation_of(self, parameter: str) -> ast.expr | None:
        """The annotation of a parameter."""
        arguments = self.node.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if argument.arg == parameter:
                return argument.annotation
        return None

    def parameters(self) -> set[str]:
        """The names of all parameters."""
        arguments = self.node.args
        named = {argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
        return named | {argument.arg for argument in (arguments.vararg, arguments.kwarg) if argument}


@dataclass(eq=False)
class Module:
    """A file: its imports and what its top level binds."""

    source: Source
    imports: dict[str, str] = field(default_factory=dict)
    bindings: dict[str, ast.expr] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    classes: dict[str, Class] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The dotted name."""
        return self.source.module


class Project:
    """All modules, and the resolution of names among them."""

    def __init__(self, sources: list[Source]) -> None:
        self.modules: dict[str, Module] = {}
        self.functions: dict[str, Function] = {}
        self.classes: dict[str, Class] = {}
        # app.state.name = value: how services share their pools
        self.state: dict[str, tuple[ast.expr, Function | None, Module]] = {}
        for source in sources:
            module = Module(source)
            self.modules[source.module] = module
            _Collector(self, module).collect()

    def all_functions(self) -> Iterator[Function]:
        """Every function and method, nested ones too."""
        return iter(self.functions.values())

    # --- resolution

    def resolve(self, node: ast.expr, function: Function | None, module: Module, hops: int = 0) -> str | None:
        """Return the dotted name an expression refers to; aliases and ``functools.partial`` are followed."""
        if hops > MAX_HOPS:
            return None
        if isinstance(node, ast.Name):
            return self._resolve_name(node.id, function, module, hops)
        if isinstance(node, ast.Attribute):
            instance = self.type_of(node.value, function, module, hops + 1)
            if instance is not None:
                return self._member(instance, node.attr, hops)
            base = self.resolve(node.value, function, module, hops + 1)
            return None if base is None else self._canonical(f"{base}.{node.attr}", hops)
        if isinstance(node, ast.Call) and node.args and self._is_partial(node, function, module, hops):
            return self.resolve(node.args[0], function, module, hops + 1)
        return None

    def function_at(self, node: ast.expr, function: Function | None, module: Module) -> Function | None:
        """Return the project's function an expression refers to; a class stands for its ``__init__``."""
        name = self.resolve(node, function, module)
        if name is None:
            return None
        if name in self.classes:
            return self.method(self.classes[name], "__init__")
        return self.functions.get(name)

    def type_of(self, node: ast.expr, function: Function | None, module: Module, hops: int = 0) -> str | None:
        """Return the dotted class of a value, as far as assignments and annotations tell."""
        if hops > MAX_HOPS:
            return None
        if isinstance(node, ast.Await):
            return self.type_of(node.value, function, module, hops + 1)
        if isinstance(node, ast.Call):
            return self._type_of_call(node, function, module, hops)
        if isinstance(node, ast.Name):
            return self._type_of_name(node.id, function, module, hops)
        if isinstance(node, ast.Attribute):
            return self._type_of_attribute(node, function, module, hops)
        return None

    def method(self, cls: Class, name: str, hops: int = 0) -> Function | None:
        """Look a method up in a class and its bases of the project."""
        if name in cls.methods:
            return cls.methods[name]
        if hops > MAX_HOPS:
            return None
        for base in cls.node.bases:
            parent = self.classes.get(self.resolve(base, None, cls.module) or "")
            if parent is not None and parent is not cls:
                found = self.method(parent, name, hops + 1)
                if found is not None:
                    return found
        return None

    # --- how

    def _is_partial(self, node: ast.Call, function: Function | None, module: Module, hops: int) -> bool:
        return self.resolve(node.func, function, module, hops + 1) == "functools.partial"

    def _resolve_name(self, name: str, function: Function | None, module: Module, hops: int) -> str | None:
        scope = function
        while scope is not None:
            if name in scope.nested:
                return scope.nested[name].name
            if name in scope.imports:
                return self._canonical(scope.imports[name], hops)
            if name in scope.bindings:
                return self.resolve(scope.bindings[name], scope, module, hops + 1)
            if name in scope.parameters():
                return None
            scope = scope.parent
        dotted = f"{module.name}.{name}"
        if dotted in self.functions or dotted in self.classes:
            return dotted
        if name in module.imports:
            return self._canonical(module.imports[name], hops)
        if name in module.bindings:
            return self.resolve(module.bindings[name], None, module, hops + 1) or dotted
        return name

    def _canonical(self, dotted: str, hops: int) -> str:
        """Follow re-exports: ``package.name`` imported from ``package.module``."""
        if dotted in self.functions or dotted in self.classes or dotted in self.modules or hops > MAX_HOPS:
            return dotted
        owner, _, name = dotted.rpartition(".")
        if owner in self.modules:
            module = self.modules[owner]
            if name in module.imports:
                return self._canonical(module.imports[name], hops + 1)
            if name in module.bindings:
                return self.resolve(module.bindings[name], None, module, hops + 1) or dotted
        return dotted

    def _member(self, class_name: str, name: str, hops: int) -> str:
        cls = self.classes.get(class_name)
        if cls is not None:
            method = self.method(cls, name)
            if method is not None:
                return method.name
            if name in cls.attributes:
                value, where = cls.attributes[name]
                return self.resolve(value, where, cls.module, hops + 1) or f"{class_name}.{name}"
        return f"{class_name}.{name}"

    def _type_of_call(self, node: ast.Call, function: Function | None, module: Module, hops: int) -> str | None:
        called = self.resolve(node.func, function, module, hops + 1)
        if called is None:
            return None
        if called in self.functions:
            made = self.functions[called]
            return self._annotated(made.node.returns, made, made.module, hops)
        made_by = {"asyncpg.create_pool": "asyncpg.Pool", "asyncpg.pool.create_pool": "asyncpg.Pool"}
        if called.rpartition(".")[2] == "create_tenant_pools":
            return "interlock.tenancy.TenantPools"
        if called in made_by:
            return made_by[called]
        return called if called in self.classes or called.rpartition(".")[2][:1].isupper() else None

    def _type_of_name(self, name: str, function: Function | None, module: Module, hops: int) -> str | None:
        scope = function
        while scope is not None:
            if name in scope.bindings:
                return self.type_of(scope.bindings[name], scope, module, hops + 1)
            if name in scope.parameters():
                if scope.owner is not None and scope.node.args.args and scope.node.args.args[0].arg == name:
                    return scope.owner.name
                return self._annotated(scope.annotation_of(name), scope, module, hops)
            scope = scope.parent
        if name in module.bindings:
            return self.type_of(module.bindings[name], None, module, hops + 1)
        if name in module.imports:
            owner, _, imported = self._canonical(module.imports[name], hops).rpartition(".")
            if owner in self.modules and imported in self.modules[owner].bindings:
                return self.type_of(self.modules[owner].bindings[imported], None, self.modules[owner], hops + 1)
        return None

    def _type_of_attribute(
        self, node: ast.Attribute, function: Function | None, module: Module, hops: int
    ) -> str | None:
        if isinstance(node.value, ast.Attribute) and node.value.attr == "state" and node.attr in self.state:
            return self.type_of(*self.state[node.attr], hops + 1)
        owner = self.classes.get(self.type_of(node.value, function, module, hops + 1) or "")
        if owner is not None:
            if node.attr in owner.annotations:
                return self._annotated(owner.annotations[node.attr], None, owner.module, hops)
            if node.attr in owner.attributes:
                value, where = owner.attributes[node.attr]
                return self.type_of(value, where, owner.module, hops + 1)
            return None
        base = self.resolve(node.value, function, module, hops + 1)
        if base in self.modules and node.attr in self.modules[base].bindings:
            return self.type_of(self.modules[base].bindings[node.attr], None, self.modules[base], hops + 1)
        return None

    def _annotated(self, node: ast.expr | None, function: Function | None, module: Module, hops: int) -> str | None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                node = ast.parse(node.value, mode="eval").body
            except SyntaxError:
                return None
        if isinstance(node, ast.BinOp):  # X | None
            sides = (node.left, node.right)
            node = next((side for side in sides if not isinstance(side, ast.Constant)), None)
        if isinstance(node, ast.Subscript):
            outer = self.resolve(node.value, function, module, hops + 1) or ""
            if outer.rpartition(".")[2] in {"Optional", "Annotated"}:
                inner = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
                return self._annotated(inner, function, module, hops + 1) if hops < MAX_HOPS else None
            return outer or None
        if isinstance(node, ast.Name | ast.Attribute):
            return self.resolve(node, function, module, hops + 1)
        return None


class _Collector:
    """Fills a module with its imports, classes, functions and bindings."""

    def __init__(self, project: Project, module: Module) -> None:
        self.project, self.module = project, module

    def collect(self) -> None:
        self._body(self.module.source.tree.body, self.module.name, None, None)

    def _body(self, body: list[ast.stmt], prefix: str, owner: Class | None, function: Function | None) -> None:
        # Depth-first over statements only; expressions bind nothing that is needed here.
        pending = list(reversed(body))
        while pending:
            statement = pending.pop()
            if isinstance(statement, FunctionNode):
                self._function(statement, prefix, owner, function)
            elif isinstance(statement, ast.ClassDef):
                self._class(statement, prefix, function)
            else:
                self._statement(statement, owner, function)
                inner = [child for child in children(statement) if isinstance(child, ast.stmt)]
                blocks = [
                    handler.body
                    for handler in children(statement)
                    if isinstance(handler, ast.ExceptHandler | ast.match_case)
                ]
                pending.extend(reversed(inner + [child for block in blocks for child in block]))

    def _function(self, node: FunctionNode, prefix: str, owner: Class | None, parent: Function | None) -> None:
        function = Function(f"{prefix}.{node.name}", node, self.module, owner, parent)
        self.project.functions[function.name] = function
        if owner is not None:
            owner.methods[node.name] = function
        elif parent is not None:
            parent.nested[node.name] = function
        else:
            self.module.functions[node.name] = function
        self._body(node.body, function.name, None, function)

    def _class(self, node: ast.ClassDef, prefix: str, function: Function | None) -> None:
        cls = Class(f"{prefix}.{node.name}", node, self.module)
        self.project.classes[cls.name] = cls
        self.module.classes.setdefault(node.name, cls)
        self._body(node.body, cls.name, cls, function)

    def _statement(self, node: ast.stmt, owner: Class | None, function: Function | None) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports = self.module.imports if function is None else function.imports
            imports.update(self._imported(node))
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._bind(target, node.value, owner, function)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                self._bind(node.target, node.value, owner, function)
            self._annotate(node, owner, function)
        elif isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                if item.optional_vars is not None:
                    self._bind(item.optional_vars, item.context_expr, owner, function)

    def _bind(self, target: ast.expr, value: ast.expr, owner: Class | None, function: Function | None) -> None:
        if isinstance(target, ast.Name):
            if owner is not None:
                owner.attributes.setdefault(target.id, (value, None))
            else:
                (self.module.bindings if function is None else function.bindings)[target.id] = value
        elif isinstance(target, ast.Attribute):
            if isinstance(target.value, ast.Attribute) and target.value.attr == "state":
                self.project.state.setdefault(target.attr, (value, function, self.module))
            elif isinstance(target.value, ast.Name) and function is not None and function.owner is not None:
                first = function.node.args.args[:1]
                if first and first[0].arg == target.value.id:
                    function.owner.attributes.setdefault(target.attr, (value, function))

    def _annotate(self, node: ast.AnnAssign, owner: Class | None, function: Function | None) -> None:
        if isinstance(node.target, ast.Name) and owner is not None:
            owner.annotations[node.target.id] = node.annotation
        elif isinstance(node.target, ast.Attribute) and function is not None and function.owner is not None:
            function.owner.annotations.setdefault(node.target.attr, node.annotation)

    def _imported(self, node: ast.Import | ast.ImportFrom) -> dict[str, str]:
        if isinstance(node, ast.Import):
            return {
                alias.asname or alias.name.partition(".")[0]: alias.name
                if alias.asname
                else alias.name.partition(".")[0]
                for alias in node.names
            }
        base = node.module or ""
        if node.level:
            parts = self.module.name.split(".")
            drop = node.level - (1 if self.module.source.is_package else 0)
            package = parts[: len(parts) - drop] if drop else parts
            base = ".".join([*package, *([node.module] if node.module else [])])
        return {alias.asname or alias.name: f"{base}.{alias.name}" for alias in node.names}
