"""IL101, IL102, IL103, IL105: what can be reached from where, and under which scope."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from interlock.sweep.entries import Entries, dependencies_of
from interlock.sweep.findings import Finding
from interlock.sweep.flow import Flows, identifier
from interlock.sweep.scopes import Scopes
from interlock.sweep.symbols import Function, Module, Project

MENDS = {
    "IL101": 'wrap it in `with pre_org_resolution_scope("start-up: …")`, or in `tenant_scope(org_id)` for each org',
    "IL102": 'wrap the tick in `with pre_org_resolution_scope("<job>: …")`, or in `tenant_scope(org_id)` '
    "for each org; start tasks of a request with `spawn_scoped(…)`",
    "IL103": "acquire inside a scope, from code that is called",
}


@dataclass(frozen=True)
class _Arrival:
    function: Function
    trail: tuple[str, ...]


class Reach:
    """Follows calls from the entries until a scope opens."""

    def __init__(self, project: Project, scopes: Scopes, flows: Flows, entries: Entries) -> None:
        self.project, self.scopes, self.flows, self.entries = project, scopes, flows, entries

    def findings(self) -> Iterator[Finding]:
        """Every unscoped acquire once a rule, by its shortest trail."""
        yield from self._unscoped("IL101", self.entries.lifespan)
        yield from self._unscoped("IL102", self._background())
        yield from self._unscoped("IL103", self.entries.callbacks)
        for module in self.project.modules.values():
            yield from self._at_module_level(module)
        yield from self._escalations()

    def _background(self) -> dict[Function, str]:
        """A start-up function that is started as a task too is reported as start-up."""
        return {entry: how for entry, how in self.entries.background.items() if entry not in self.entries.lifespan}

    def _unscoped(self, rule: str, entries: dict[Function, str]) -> Iterator[Finding]:
        reported: set[ast.Call] = set()
        for arrival in self._arrivals(entries, self._unscoped_calls):
            for step in self.flows.of(arrival.function).steps:
                if step.acquires and step.standing.scope is None and step.node not in reported:
                    reported.add(step.node)
                    what = f"{identifier(step.node.func)}() runs with no scope"
                    yield _finding(rule, arrival.function, step.node, f"{what}: {MENDS[rule]}", arrival.trail)

    def _at_module_level(self, module: Module) -> Iterator[Finding]:
        for step in self.flows.of_top_level(module).steps:
            if step.acquires and step.standing.scope is None:
                yield Finding(
                    path=module.source.path,
                    line=step.node.lineno,
                    column=step.node.col_offset + 1,
                    rule="IL103",
                    message=f"{identifier(step.node.func)}() runs when the module is imported: {MENDS['IL103']}",
                    trail=(f"import of {module.name}",),
                    subject=module.name,
                )

    def _escalations(self) -> Iterator[Finding]:
        handlers = {entry: how for entry, how in self.entries.handlers.items() if entry not in self.entries.resolvers}
        reported: set[ast.expr] = set()
        for arrival in self._arrivals(handlers, self._all_calls):
            function = arrival.function
            places = [(node, kind) for node, kind, _ in self.flows.of(function).opened]
            if self.scopes.around(function) == "pre-org":
                places.append((function.node.decorator_list[0], "pre-org"))
            for node, kind in places:
                if kind == "pre-org" and node not in reported:
                    reported.add(node)
                    message = (
                        "a request handler reaches pre_org_resolution_scope: use the request's own scope; "
                        "where no org exists yet (sign-up, log-in) say so with `# interlock: ok <reason>`"
                    )
                    yield _finding("IL105", function, node, message, arrival.trail)

    def _arrivals(
        self, entries: dict[Function, str], edges: Callable[[Function], Iterator[Function]]
    ) -> Iterator[_Arrival]:
        """Breadth first, so that the first trail to a function is the shortest."""
        seen: set[Function] = set()
        waiting = [_Arrival(entry, (f"{entry.label} ({how})",)) for entry, how in entries.items()]
        while waiting:
            following: list[_Arrival] = []
            for arrival in waiting:
                if arrival.function in seen:
                    continue
                seen.add(arrival.function)
                yield arrival
                for called in edges(arrival.function):
                    if called not in seen:
                        following.append(_Arrival(called, (*arrival.trail, called.label)))
            waiting = following

    def _unscoped_calls(self, function: Function) -> Iterator[Function]:
        for step in self.flows.of(function).steps:
            if step.calls is not None and step.standing.scope is None:
                yield step.calls

    def _all_calls(self, function: Function) -> Iterator[Function]:
        for step in self.flows.of(function).steps:
            if step.calls is not None and step.calls not in self.entries.resolvers:
                yield step.calls
        for dependency in dependencies_of(self.project, function):
            if dependency not in self.entries.resolvers:
                yield dependency


def _finding(rule: str, function: Function, node: ast.expr, message: str, trail: tuple[str, ...]) -> Finding:
    return Finding(
        path=function.module.source.path,
        line=node.lineno,
        column=node.col_offset + 1,
        rule=rule,
        message=message,
        trail=trail,
        subject=function.name,
    )
