"""Where code starts to run without a request: start-up, daemons, tasks, schedulers, callbacks; and handlers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from interlock.sweep.flow import Flow, Flows, Step, identifier
from interlock.sweep.sources import children, walk
from interlock.sweep.symbols import Function, Module, Project
from interlock.sweep.vocabulary import (
    CALLBACK_STARTERS,
    LIFESPAN_DECORATORS,
    LIFESPAN_KEYWORDS,
    LOOP_RUNNERS,
    POOL_CALLBACKS,
    POOL_MAKERS,
    ROUTE_CLASSES,
    ROUTE_DECORATORS,
    ROUTE_OWNER,
    ROUTE_REGISTRARS,
    SCHEDULER_DECORATORS,
    SCOPED_RUNNERS,
    SLEEPS,
    TASK_STARTERS,
    WORKER_DECORATORS,
    last,
)


@dataclass
class Entries:
    """Functions that something outside the swept code calls, by the way they are called."""

    lifespan: dict[Function, str] = field(default_factory=dict)
    background: dict[Function, str] = field(default_factory=dict)
    callbacks: dict[Function, str] = field(default_factory=dict)
    handlers: dict[Function, str] = field(default_factory=dict)
    dependencies: set[Function] = field(default_factory=set)
    resolvers: set[Function] = field(default_factory=set)
    http_middleware: dict[Function, str] = field(default_factory=dict)
    exception_handlers: set[Function] = field(default_factory=set)


class EntryFinder:
    """Finds the entries of a project."""

    def __init__(self, project: Project, flows: Flows) -> None:
        self.project, self.flows = project, flows
        self.entries = Entries()

    def find(self) -> Entries:
        """Look at every decorator, call and loop once."""
        called: set[Function] = set()
        for function in self.project.all_functions():
            self._decorated(function)
            self._depends_on(function)
            self._calls(self.flows.of(function), function, function.module)
            called.update(step.calls for step in self.flows.of(function).steps if step.calls)
        for function in self.project.all_functions():
            # A loop that somebody awaits, such as one that polls for an answer, is reached through its caller.
            if function not in called and _is_daemon_loop(function):
                self.entries.background.setdefault(function, "a loop that sleeps")
        for module in self.project.modules.values():
            self._calls(self.flows.of_top_level(module), None, module)
            self._assigned(module)
        return self.entries

    # --- decorators

    def _decorated(self, function: Function) -> None:
        for decorator in function.node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            name = identifier(called)
            owner = identifier(called.value) if isinstance(called, ast.Attribute) else ""
            if name in LIFESPAN_DECORATORS:
                self.entries.lifespan.setdefault(function, "on_event")
            elif name in SCHEDULER_DECORATORS:
                self.entries.background.setdefault(function, f"@{name}")
            elif name in WORKER_DECORATORS and isinstance(called, ast.Attribute):
                self.entries.background.setdefault(function, f"@{owner}.{name}")
            elif name == "exception_handler":
                self.entries.exception_handlers.add(function)
            elif name == "middleware" and isinstance(called, ast.Attribute):
                self.entries.http_middleware.setdefault(function, f"@{owner}.middleware")
            elif name in ROUTE_DECORATORS and self._owns_routes(called, function):
                self.entries.handlers.setdefault(function, f"{name.upper()} {_route(decorator)}".strip())

    def _owns_routes(self, decorator: ast.expr, function: Function) -> bool:
        if not isinstance(decorator, ast.Attribute):
            return False
        known = self.project.type_of(decorator.value, function.parent, function.module)
        if known is not None:
            return last(known) in ROUTE_CLASSES
        return bool(ROUTE_OWNER.search(identifier(decorator.value)))

    def _depends_on(self, function: Function) -> None:
        for dependency in dependencies_of(self.project, function):
            self.entries.dependencies.add(dependency)

    # --- calls

    def _calls(self, flow: Flow, function: Function | None, module: Module) -> None:
        for step in flow.steps:
            name = identifier(step.node.func)
            dotted = self.project.resolve(step.node.func, function, module) or ""
            if name in TASK_STARTERS or dotted in LOOP_RUNNERS:
                self._started(step, name if name in TASK_STARTERS else dotted, function, module)
            elif name in CALLBACK_STARTERS or last(dotted) == "Thread":
                for referred in self._referred(step.node, function, module):
                    self.entries.background.setdefault(referred, name or "Thread")
            elif name == "add_event_handler":
                for referred in self._referred(step.node, function, module):
                    self.entries.lifespan.setdefault(referred, name)
            elif name == "add_exception_handler":
                self.entries.exception_handlers.update(self._referred(step.node, function, module))
            elif name in ROUTE_REGISTRARS or last(dotted) in {"Route", "WebSocketRoute", "APIRoute"}:
                for referred in self._referred(step.node, function, module):
                    self.entries.handlers.setdefault(referred, "route")
            elif last(dotted) in POOL_MAKERS or name in POOL_MAKERS:
                self._keywords(step.node, POOL_CALLBACKS, self.entries.callbacks, function, module)
            self._keywords(step.node, LIFESPAN_KEYWORDS, self.entries.lifespan, function, module)
            self._resolver(step.node, function, module)

    def _started(self, step: Step, how: str, function: Function | None, module: Module) -> None:
        if step.standing.scope is not None:
            return  # the task starts inside the block; whether it outlives it is for run time to see
        for argument in step.node.args:
            if isinstance(argument, ast.Call) and identifier(argument.func) in SCOPED_RUNNERS:
                continue
            called = argument.func if isinstance(argument, ast.Call) else argument
            target = self.project.function_at(called, function, module)
            if target is not None:
                self.entries.background.setdefault(target, how)

    def _referred(self, node: ast.Call, function: Function | None, module: Module) -> Iterator[Function]:
        for value in (*node.args, *(keyword.value for keyword in node.keywords)):
            if isinstance(value, ast.Name | ast.Attribute | ast.Call):
                target = self.project.function_at(value, function, module)
                if target is not None:
                    yield target

    def _keywords(
        self,
        node: ast.Call,
        names: set[str],
        into: dict[Function, str],
        function: Function | None,
        module: Module,
    ) -> None:
        for keyword in node.keywords:
            if keyword.arg in names:
                values = keyword.value.elts if isinstance(keyword.value, ast.List | ast.Tuple) else [keyword.value]
                for value in values:
                    target = self.project.function_at(value, function, module)
                    if target is not None:
                        into.setdefault(target, f"{keyword.arg}=")

    def _resolver(self, node: ast.Call, function: Function | None, module: Module) -> None:
        for keyword in node.keywords:
            if keyword.arg == "resolve":
                target = self.project.function_at(keyword.value, function, module)
                if target is not None:
                    self.entries.resolvers.add(target)

    def _assigned(self, module: Module) -> None:
        """``app.router.lifespan_context = lifespan``."""
        for node in walk(module.source.tree):
            if isinstance(node, ast.Assign) and any(
                isinstance(target, ast.Attribute) and target.attr == "lifespan_context" for target in node.targets
            ):
                target = self.project.function_at(node.value, None, module)
                if target is not None:
                    self.entries.lifespan.setdefault(target, "lifespan_context")


def dependencies_of(project: Project, function: Function) -> Iterator[Function]:
    """The functions a handler or dependency gets through ``Depends`` and ``Security``."""
    arguments = function.node.args
    parameters = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    places: list[ast.expr] = [*arguments.defaults, *(default for default in arguments.kw_defaults if default)]
    places += [parameter.annotation for parameter in parameters if parameter.annotation is not None]
    places += function.node.decorator_list
    for place in places:
        for node in _unfolded(project, place, function):
            if isinstance(node, ast.Call) and identifier(node.func) in {"Depends", "Security"} and node.args:
                target = project.function_at(node.args[0], function.parent, function.module)
                if target is not None:
                    yield target


def _unfolded(project: Project, place: ast.expr, function: Function) -> Iterator[ast.AST]:
    """The nodes of an annotation; a name bound to ``Annotated[…]`` stands for it."""
    for node in walk(place):
        yield node
        if isinstance(node, ast.Name) and node.id in function.module.bindings:
            yield from walk(function.module.bindings[node.id])


def _is_daemon_loop(function: Function) -> bool:
    """A ``while`` loop of its own body that awaits a sleep."""
    for node in _own_nodes(function):
        if isinstance(node, ast.While) and any(
            isinstance(inner, ast.Await)
            and isinstance(inner.value, ast.Call)
            and identifier(inner.value.func) in SLEEPS
            for inner in walk(node)
        ):
            return _is_endless(node)
    return False


def _is_endless(node: ast.While) -> bool:
    """``while True`` or on a flag; ``while attempt < 3`` is a retry, which ends."""
    return not isinstance(node.test, ast.Compare)


def _own_nodes(function: Function) -> Iterator[ast.AST]:
    pending: list[ast.AST] = list(function.node.body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            pending.extend(children(node))


def _route(decorator: ast.expr) -> str:
    if isinstance(decorator, ast.Call) and decorator.args and isinstance(decorator.args[0], ast.Constant):
        return str(decorator.args[0].value)
    return ""
