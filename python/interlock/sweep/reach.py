"""IL101, IL102, IL103, IL105: what can be reached from where, and under which scope."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from interlock.sweep.entries import Entries, dependencies_of
from interlock.sweep.findings import Finding, finding_at
from interlock.sweep.flow import Step
from interlock.sweep.flows import Flows
from interlock.sweep.symbols import Function, Module, Where
from interlock.sweep.text import identifier

MENDS = {
    "IL101": 'wrap it in `with pre_org_resolution_scope("start-up: …")`, or in `tenant_scope(org_id)` for each org',
    "IL102": 'wrap the tick in `with pre_org_resolution_scope("<job>: …")`, or in `tenant_scope(org_id)` '
    "for each org; start tasks of a request with `spawn_scoped(…)`",
    "IL103": "acquire inside `tenant_scope(org_id)` or `pre_org_resolution_scope(reason)`, from code that is called",
}
ESCALATION = (
    "a request handler reaches pre_org_resolution_scope: use the request's own scope, or resolve the org in "
    "`TenantMiddleware(resolve=…)`; where no org exists yet (sign-up, log-in) say so with `# interlock: ok <reason>`"
)


@dataclass(frozen=True)
class _Arrival:
    function: Function
    trail: tuple[str, ...]


Edges = Callable[[Function], Iterator[tuple[Function, tuple[str, ...]]]]


class Reach:
    """Follows calls from the entries until a scope opens."""

    def __init__(self, flows: Flows, entries: Entries) -> None:
        self.flows, self.entries = flows, entries
        self.project, self.scopes = flows.project, flows.scopes

    def findings(self) -> Iterator[Finding]:
        """Every unscoped acquire once a rule, by its shortest trail."""
        yield from self._unscoped("IL101", _starts(self.entries.lifespan))
        yield from self._started()
        yield from self._unscoped("IL102", _starts(self.entries.background))
        yield from self._unscoped("IL103", _starts(self.entries.callbacks))
        for module in self.project.modules.values():
            yield from self._at_module_level(module)
        yield from self._escalations()

    def _unscoped(self, rule: str, starts: Iterable[_Arrival]) -> Iterator[Finding]:
        reported: set[ast.Call] = set()
        for arrival in self._arrivals(starts, self._unscoped_calls):
            for step in self.flows.of(arrival.function).steps:
                here = step.started is None or step.joined
                if step.acquires and here and step.standing.scope is None and step.node not in reported:
                    reported.add(step.node)
                    yield _unscoped(rule, arrival.function, step, arrival.trail)

    def _started(self) -> Iterator[Finding]:
        """``create_task(pool.execute(…))``: the acquire itself is what is started."""
        for where in self.project.places():
            for step in self.flows.of(where).steps:
                on_its_own = step.started is not None and not step.joined and not step.runs_on_import(where)
                if step.acquires and on_its_own and step.standing.scope is None:
                    yield _unscoped("IL102", where, step, (f"{where.name} ({step.started})",))

    def _at_module_level(self, module: Module) -> Iterator[Finding]:
        trail = (f"import of {module.name}",)
        for step in self.flows.of(module).steps:
            if step.standing.scope is not None or not step.runs_on_import(module):
                continue
            if step.acquires:
                yield _unscoped("IL103", module, step, trail)
            starts = [_Arrival(edge.target, (*trail, edge.target.name)) for edge in step.edges if edge.scope is None]
            yield from self._unscoped("IL103", starts)

    def _escalations(self) -> Iterator[Finding]:
        places = {**self.entries.handlers, **self.entries.dependencies}
        handlers = {entry: how for entry, how in places.items() if not self._resolves(entry)}
        reported: set[ast.expr] = set()
        for arrival in self._arrivals(_starts(handlers), self._all_calls):
            function = arrival.function
            opened = [(place.node, place.kind) for place in self.flows.of(function).opened]
            if self.scopes.around(function) == "pre-org":
                opened.append((function.decorators[-1] if function.decorators else _body(function), "pre-org"))
            for node, kind in opened:
                if kind == "pre-org" and node not in reported:
                    reported.add(node)
                    yield finding_at("IL105", function, node, ESCALATION, arrival.trail)

    def _arrivals(self, starts: Iterable[_Arrival], edges: Edges) -> Iterator[_Arrival]:
        """Breadth first, so that the first trail to a function is the shortest."""
        seen: set[Function] = set()
        waiting = list(starts)
        while waiting:
            following: list[_Arrival] = []
            for arrival in waiting:
                if arrival.function in seen:
                    continue
                seen.add(arrival.function)
                yield arrival
                for called, through in edges(arrival.function):
                    if called not in seen:
                        following.append(_Arrival(called, (*arrival.trail, *through, called.name)))
            waiting = following

    def _unscoped_calls(self, function: Function) -> Iterator[tuple[Function, tuple[str, ...]]]:
        for step in self.flows.of(function).steps:
            if step.started is None:
                yield from ((edge.target, edge.through) for edge in step.edges if edge.scope is None)

    def _all_calls(self, function: Function) -> Iterator[tuple[Function, tuple[str, ...]]]:
        """Also tasks, which copy the context, and functions that are handed on, such as background tasks."""
        found: list[tuple[Function, tuple[str, ...]]] = []
        for step in self.flows.of(function).steps:
            found += ((edge.target, edge.through) for edge in step.edges)
            for value in (*step.node.args, *(keyword.value for keyword in step.node.keywords)):
                if isinstance(value, ast.Name | ast.Attribute | ast.Lambda):
                    found += ((target, ()) for target in self.flows.callables.called_by(value, function))
        found += ((dependency, ()) for dependency in dependencies_of(self.flows, function))
        return iter([(target, through) for target, through in found if not self._resolves(target)])

    def _resolves(self, function: Function) -> bool:
        """Whether a function finds the org of a request: a resolver, or a dependency that then opens its scope."""
        if function in self.entries.resolvers:
            return True
        flow = self.flows.of(function)
        opens = any(place.kind == "pre-org" for place in flow.opened)
        return opens and bool(flow.yields) and all(standing.scope == "tenant" for _, standing in flow.yields)


def _starts(entries: dict[Function, str]) -> list[_Arrival]:
    return [_Arrival(entry, (f"{entry.name} ({how})",)) for entry, how in entries.items()]


def _body(function: Function) -> ast.expr:
    return next(node for node in ast.walk(function.node) if isinstance(node, ast.expr))


def _unscoped(rule: str, where: Where, step: Step, trail: tuple[str, ...]) -> Finding:
    name = identifier(step.node.func)
    what = (
        f"{name}() runs when the module is imported" if isinstance(where, Module) else f"{name}() runs with no scope"
    )
    return finding_at(rule, where, step.node, f"{what}: {MENDS[rule]}", trail)
