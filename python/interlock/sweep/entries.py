"""Where code starts to run without a request: start-up, daemons, tasks, schedulers, callbacks; and handlers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from interlock.sweep.daemons import is_daemon_loop, never_ends
from interlock.sweep.flow import Step
from interlock.sweep.flows import Flows
from interlock.sweep.symbols import Class, Function, Where
from interlock.sweep.syntax import walk
from interlock.sweep.text import bound_values, identifier
from interlock.sweep.vocabulary import (
    ENDPOINT_CLASSES,
    HTTP_METHODS,
    LIFESPAN_KEYWORDS,
    POOL_CALLBACKS,
    POOL_MAKERS,
    ROUTE_OBJECTS,
    ROUTE_REGISTRARS,
    WORKER_ATTRIBUTES,
    last,
)

SOURCES = ast.Name | ast.Attribute | ast.Call | ast.Lambda | ast.IfExp | ast.BoolOp


@dataclass
class Entries:
    """Functions that something outside the swept code calls, by the way they are called."""

    lifespan: dict[Function, str] = field(default_factory=dict)
    background: dict[Function, str] = field(default_factory=dict)
    callbacks: dict[Function, str] = field(default_factory=dict)
    handlers: dict[Function, str] = field(default_factory=dict)
    dependencies: dict[Function, str] = field(default_factory=dict)
    resolvers: set[Function] = field(default_factory=set)
    http_middleware: dict[Function, str] = field(default_factory=dict)
    exception_handlers: dict[Function, str] = field(default_factory=dict)


class EntryFinder:
    """Finds the entries of a project."""

    def __init__(self, flows: Flows) -> None:
        self.project, self.flows, self.callables = flows.project, flows, flows.callables
        self.entries = Entries()
        self._kinds = {
            "lifespan": self.entries.lifespan,
            "background": self.entries.background,
            "handler": self.entries.handlers,
            "exception": self.entries.exception_handlers,
            "middleware": self.entries.http_middleware,
        }

    def find(self) -> Entries:
        """Look at every decorator, call, class and loop once."""
        for function in self.project.all_functions:
            for decorator in function.decorators:
                self._registered(function, decorator)
            for dependency in dependencies_of(self.flows, function):
                self.entries.dependencies.setdefault(dependency, "Depends")
        for cls in self.project.classes.values():
            self._class(cls)
        for where in self.project.places():
            for step in self.flows.of(where).steps:
                self._step(step, where)
            self._assigned(where)
        self._started()
        return self.entries

    def _started(self) -> None:
        """Tasks and loops that run on their own; not those that a request waits for."""
        callers = _callers(self.flows)
        unscoped = _Unscoped(self.entries, callers)
        for where in self.project.places():
            for step in self.flows.of(where).steps:
                if step.started is None or (step.joined and not unscoped.may_be(where)):
                    continue
                if step.runs_on_import(where):
                    continue
                for edge in step.edges:
                    if edge.scope is None:
                        self.entries.background.setdefault(edge.target, step.started)
        for function in self.project.all_functions:
            # A loop that ends with an answer is reached through whoever waits for it.
            is_called = function in callers and not never_ends(function)
            if not is_called and is_daemon_loop(function) and unscoped.may_be(function):
                self.entries.background.setdefault(function, "a loop that sleeps")

    def _registered(self, function: Function, decorator: ast.expr) -> None:
        registered = self.flows.registrations.of(function, decorator)
        if registered is not None:
            self._kinds[registered[0]].setdefault(function, registered[1])

    # --- classes

    def _class(self, cls: Class) -> None:
        if any(last(name) in ENDPOINT_CLASSES for name in self.project.ancestors(cls)):
            for name, method in cls.methods.items():
                if name in HTTP_METHODS or name.startswith("on_"):
                    self.entries.handlers.setdefault(method, f"{name.upper()} of {last(cls.name)}")
        if "functions" in cls.attributes or "cron_jobs" in cls.attributes:  # a worker's settings
            for name in WORKER_ATTRIBUTES & cls.attributes.keys():
                for value, where in cls.attributes[name]:
                    for function in self._named_in(value, where):
                        self.entries.background.setdefault(function, f"{last(cls.name)}.{name}")

    # --- calls

    def _step(self, step: Step, where: Where) -> None:
        node = step.node
        name = identifier(node.func)
        owner = identifier(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        dotted = self.project.resolve(node.func, where) or ""
        if isinstance(node.func, ast.Call):  # app.middleware("http")(function)
            for function in (found for value in node.args[:1] for found in self._named_in(value, where)):
                self._registered(function, node.func)
        if name in {"Depends", "Security"} and node.args:
            self._depends(node.args[0], where)
        elif name in {"add_event_handler", "on_event"}:
            self._enter(node.args, self.entries.lifespan, name, where)
        elif name == "add_exception_handler":
            self._enter(node.args, self.entries.exception_handlers, name, where)
        elif name in ROUTE_REGISTRARS or last(dotted) in ROUTE_OBJECTS:
            values = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "endpoint")]
            self._enter(values, self.entries.handlers, "route", where)
        elif last(dotted) in POOL_MAKERS or name in POOL_MAKERS:
            self._pool_callbacks(node, where)
        elif name in {"append", "extend"} and owner in LIFESPAN_KEYWORDS:
            self._enter(node.args, self.entries.lifespan, owner, where)
        if any(last(self.project.resolve(argument, where)) == "BaseHTTPMiddleware" for argument in node.args[:1]):
            values = [keyword.value for keyword in node.keywords if keyword.arg == "dispatch"]
            self._enter(values, self.entries.http_middleware, "dispatch=", where)
        if "TenantMiddleware" in {name, *(identifier(argument) for argument in node.args[:1])}:
            self.entries.resolvers.update(f for value in node.args[1:] for f in self._named_in(value, where))
        for keyword in node.keywords:
            if keyword.arg in LIFESPAN_KEYWORDS:
                self._enter([keyword.value], self.entries.lifespan, f"{keyword.arg}=", where)
            elif keyword.arg == "resolve":
                self.entries.resolvers.update(self._named_in(keyword.value, where))
            elif keyword.arg == "exception_handlers" and isinstance(keyword.value, ast.Dict):
                self._enter(keyword.value.values, self.entries.exception_handlers, "exception_handlers=", where)

    def _enter(self, values: list[ast.expr], into: dict[Function, str], how: str, where: Where) -> None:
        for value in values:
            for function in self._named_in(value, where):
                into.setdefault(function, how)

    def _named_in(self, value: ast.expr, where: Where) -> Iterator[Function]:
        """The functions an argument names: itself, a list of them, or those handed to a call that combines them."""
        if isinstance(value, ast.List | ast.Tuple | ast.Set):
            for element in value.elts:
                yield from self._named_in(element, where)
            return
        if isinstance(value, ast.Starred | ast.Await):
            yield from self._named_in(value.value, where)
            return
        if not isinstance(value, SOURCES):
            return
        cls = self.project.classes.get(self.project.resolve(value, where) or "")
        if cls is not None:
            for name in ("__aenter__", "__aexit__", "__enter__", "__call__"):
                if name in cls.methods:
                    yield cls.methods[name]
            return
        found = self.callables.called_by(value, where)
        yield from found
        if not found and isinstance(value, ast.Call):
            for argument in (*value.args, *(keyword.value for keyword in value.keywords)):
                yield from self._named_in(argument, where)

    def _depends(self, value: ast.expr, where: Where) -> None:
        if isinstance(value, ast.Call) and last(self.project.resolve(value.func, where)) == "scoped":
            self._enter(value.args, self.entries.dependencies, "Depends", where)
            self.entries.resolvers.update(f for argument in value.args for f in self._named_in(argument, where))
            return
        for function in self.callables.called_by(value, where):
            self.entries.dependencies.setdefault(function, "Depends")

    def _pool_callbacks(self, node: ast.Call, where: Where) -> None:
        for name, value, place in keywords_of(self.flows, node, where):
            if name in POOL_CALLBACKS:
                for function in self.callables.called_by(value, place):
                    self.entries.callbacks.setdefault(function, f"{name}=")

    def _assigned(self, where: Where) -> None:
        """``app.router.lifespan_context = lifespan``."""
        for node in where.own(ast.Assign):
            if any(isinstance(target, ast.Attribute) and target.attr == "lifespan_context" for target in node.targets):
                self._enter([node.value], self.entries.lifespan, "lifespan_context", where)


def keywords_of(flows: Flows, node: ast.Call, where: Where) -> Iterator[tuple[str, ast.expr, Where]]:
    """The keyword arguments of a call, also from ``**options`` and in dictionaries nested in it."""
    pending: list[tuple[str | None, ast.expr, Where]] = [(k.arg, k.value, where) for k in node.keywords]
    for _ in range(64):
        if not pending:
            return
        name, value, place = pending.pop(0)
        if name is not None:
            yield name, value, place
        if isinstance(value, ast.Dict):
            pending += [
                (str(key.value), one, place)
                for key, one in zip(value.keys, value.values, strict=True)
                if isinstance(key, ast.Constant)
            ]
        elif isinstance(value, ast.Call) and identifier(value.func) == "dict":
            pending += [(keyword.arg, keyword.value, place) for keyword in value.keywords]
        elif name is None or name.endswith("options"):
            pending += [(None, one, at) for one, at in bound_values(flows.project, value, place)]


def dependencies_of(flows: Flows, function: Function) -> Iterator[Function]:
    """The functions a handler or dependency gets through ``Depends`` and ``Security``."""
    places: list[ast.expr] = [default for _, default in function.with_defaults()]
    places += [argument.annotation for argument in function.arguments() if argument.annotation is not None]
    places += function.decorators
    for place in places:
        for node, where in _unfolded(flows, place, function.outer):
            if isinstance(node, ast.Call) and identifier(node.func) in {"Depends", "Security"}:
                value = (
                    node.args[0]
                    if node.args
                    else next((k.value for k in node.keywords if k.arg == "dependency"), None)
                )
                if value is not None:
                    yield from flows.callables.called_by(value, where)


def _unfolded(flows: Flows, place: ast.expr, where: Where) -> Iterator[tuple[ast.AST, Where]]:
    """The nodes of an annotation; a name bound to ``Annotated[…]``, here or in another module, stands for it."""
    for node in walk(place):
        yield node, where
        if isinstance(node, ast.Name):
            home, _, name = (flows.project.resolve(node, where) or "").rpartition(".")
            module = flows.project.modules.get(home)
            if module is not None:
                for value in module.bindings.get(name, ()):
                    yield from ((inner, module) for inner in walk(value))


def _callers(flows: Flows) -> dict[Function, list[tuple[Where, bool]]]:
    """Who calls each function, and whether in a scope; tasks that are waited for count as calls."""
    found: dict[Function, list[tuple[Where, bool]]] = {}
    for where in flows.project.places():
        for step in flows.of(where).steps:
            if step.started is None or step.joined:
                for edge in step.edges:
                    found.setdefault(edge.target, []).append((where, edge.scope is not None))
    return found


class _Unscoped:
    """Answers whether a function may run outside every scope: handlers and what only they call do not."""

    def __init__(self, entries: Entries, callers: dict[Function, list[tuple[Where, bool]]]) -> None:
        self.entries, self.callers = entries, callers
        self.known: dict[Where, bool] = {
            function: False
            for function in (*entries.handlers, *entries.dependencies, *entries.http_middleware)
            if function not in entries.lifespan
        }

    def may_be(self, where: Where) -> bool:
        """Follow the callers upwards, without recursion."""
        if where in self.known:
            return self.known[where]
        seen: set[Where] = {where}
        waiting = [where]
        while waiting:
            current = waiting.pop()
            if current in self.known and not self.known[current]:
                continue
            callers = self.callers.get(current, []) if isinstance(current, Function) else []
            if not callers or self.known.get(current):
                self.known[where] = True
                return True
            for caller, scoped in callers:
                if not scoped and caller not in seen:
                    seen.add(caller)
                    waiting.append(caller)
        self.known[where] = False
        return False
