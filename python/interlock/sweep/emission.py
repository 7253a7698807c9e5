"""IL111: an error log on every request, without a gate."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from interlock.sweep.entries import Entries
from interlock.sweep.findings import Finding, finding_at
from interlock.sweep.flow import Edge, Step
from interlock.sweep.flows import Flows
from interlock.sweep.symbols import Class, Function, Where, enclosing
from interlock.sweep.text import identifier
from interlock.sweep.vocabulary import LOGGER_NAME, LOUD_METHODS, last

LOUD_LEVELS = {"CRITICAL", "ERROR", "FATAL"}
ENTRIES = {"__call__", "dispatch"}
ASGI = {"scope", "receive", "send"}
MESSAGE = (
    "a loud log line on every request: put `if gate.allow(): …` before it, or `with gate.transition() as fired`, with "
    "a gate of `interlock.gates`"
)


class Emission:
    """Loud lines of middleware and exception handlers, and of what they call, that no gate stands before."""

    def __init__(self, flows: Flows, entries: Entries) -> None:
        self.flows, self.project, self.entries = flows, flows.project, entries
        self.filtered = {key for key in self._filtered() if key is not None}

    def findings(self) -> Iterator[Finding]:
        """Each line once, by the shortest trail."""
        starts = {**self.entries.exception_handlers, **self.entries.http_middleware}
        for cls in self.project.classes.values():
            if self._is_middleware(cls):
                starts |= {method: "middleware" for name, method in cls.methods.items() if name in ENTRIES}
        for where in self.project.places():
            for node in where.own(ast.Call):
                if identifier(node.func) in {"add_middleware", "Middleware"} and node.args:
                    added = self.project.classes.get(self.project.resolve(node.args[0], where) or "")
                    if added is not None and "__call__" in added.methods:
                        starts.setdefault(added.methods["__call__"], "middleware")
        for function in self.project.all_functions:
            if function.parameters >= ASGI:
                starts.setdefault(function, "middleware")
        reported: set[ast.Call] = set()
        seen: set[Function] = set()
        waiting: list[tuple[Function, tuple[str, ...]]] = []
        waiting += ((function, (f"{function.name} ({how})",)) for function, how in starts.items())
        while waiting:
            function, trail = waiting.pop(0)
            if function in seen:
                continue
            seen.add(function)
            waiting += [(nested, (*trail, nested.name)) for nested in function.functions.values()]
            for step in self.flows.of(function).steps:
                if step.standing.gate:
                    continue
                if self._is_loud(step, function) and step.node not in reported:
                    reported.add(step.node)
                    yield finding_at("IL111", function, step.node, MESSAGE, trail)
                waiting += [(edge.target, (*trail, edge.target.name)) for edge in self._near(step, function, trail)]

    def _near(self, step: Step, function: Function, trail: tuple[str, ...]) -> Iterator[Edge]:
        """Helpers of the same module; of other modules only those that are called directly: the rest serves others."""
        for edge in step.edges:
            near = edge.target.module is function.module or len(trail) == 1
            if near and edge.target not in self.entries.handlers and step.started is None:
                yield edge

    def _is_middleware(self, cls: Class) -> bool:
        """``dispatch`` of a BaseHTTPMiddleware, or a pure ASGI class: ``__call__(self, scope, receive, send)``."""
        if any("Middleware" in name for name in self.project.ancestors(cls)):
            return True
        call = cls.methods.get("__call__")
        return call is not None and call.parameters >= ASGI

    def _is_loud(self, step: Step, function: Function) -> bool:
        called = step.node.func
        if not isinstance(called, ast.Attribute):
            return False
        if called.attr == "log" and step.node.args:
            if identifier(step.node.args[0]) not in LOUD_LEVELS:
                return False
        elif called.attr not in LOUD_METHODS:
            return False
        receiver = called.value
        if isinstance(receiver, ast.Call):
            return identifier(receiver.func) in {"getLogger", "get_logger", "bind", "opt"}
        if self._key(receiver, function) in self.filtered or _is_tagged(step.node):
            return False
        return bool(LOGGER_NAME.search(identifier(receiver))) or self.project.resolve(receiver, function) == "logging"

    def _filtered(self) -> Iterator[tuple[str, str] | None]:
        """Loggers with a gate as their filter: ``logger.addFilter(GateFilter(gate))``."""
        for where in self.project.places():
            for node in where.own(ast.Call):
                called = node.func
                adds = isinstance(called, ast.Attribute) and called.attr == "addFilter" and bool(node.args)
                if adds and isinstance(called, ast.Attribute) and self._is_gate_filter(node.args[0], where):
                    yield self._key(called.value, where)

    def _is_gate_filter(self, node: ast.expr, where: Where) -> bool:
        made = node.func if isinstance(node, ast.Call) else node
        names = {last(self.project.resolve(made, where)), last(self.project.type_of(node, where))}
        return any(name.endswith("GateFilter") for name in names)

    def _key(self, node: ast.expr, where: Where) -> tuple[str, str] | None:
        """A logger, by the name it is bound to in its module."""
        if not isinstance(node, ast.Name):
            return None
        home = next((scope for scope in enclosing(where) if node.id in scope.bindings), where)
        return (home.name, node.id)


def _is_tagged(node: ast.Call) -> bool:
    """``extra=gate.tag()``: the filter or the capture of that gate judges the line."""
    return any(
        keyword.arg == "extra" and isinstance(keyword.value, ast.Call) and identifier(keyword.value.func) == "tag"
        for keyword in node.keywords
    )
