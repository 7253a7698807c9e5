"""IL108, IL109: a scope in a place where it cannot hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from interlock.sweep.entries import Entries
from interlock.sweep.findings import Finding, finding_at
from interlock.sweep.flows import Flows
from interlock.sweep.symbols import Function
from interlock.sweep.syntax import walk
from interlock.sweep.text import identifier
from interlock.sweep.vocabulary import SCOPED_RUNNERS, last

SYNC_DEPENDENCY = (
    "a scope opened in a synchronous dependency is lost in its thread: make the dependency `async def`, or use "
    "`interlock.web.scoped`"
)
ACROSS_YIELD = (
    "a scope is open across this yield and leaks to whoever iterates: collect first, or open `tenant_scope(org_id)` "
    "in the consumer"
)
IN_HTTP_MIDDLEWARE = (
    "a scope opened in BaseHTTPMiddleware ends before background tasks and streamed bodies: use "
    "`interlock.web.TenantMiddleware`"
)


def findings(flows: Flows, entries: Entries) -> Iterator[Finding]:
    """Scopes across yields, in synchronous dependencies, and round ``call_next``."""
    for function in flows.project.all_functions:
        yield from _across_yield(function, flows, entries)
    yield from _in_http_middleware(flows, entries)


def _across_yield(function: Function, flows: Flows, entries: Entries) -> Iterator[Finding]:
    if flows.project.types.is_manager(function) or function in entries.resolvers or function in entries.lifespan:
        return
    flow = flows.of(function)
    if function in entries.dependencies or _is_fixture(function):
        if not function.is_async and function in entries.dependencies and flow.opened:
            yield finding_at("IL108", function, flow.opened[0].node, SYNC_DEPENDENCY)
        return  # an async-yield dependency runs in the request's own context
    for node, standing in flow.yields:
        if standing.scope is not None:
            yield finding_at("IL108", function, node, ACROSS_YIELD)
            return


def _is_fixture(function: Function) -> bool:
    return any(identifier(one.func if isinstance(one, ast.Call) else one) == "fixture" for one in function.decorators)


def _in_http_middleware(flows: Flows, entries: Entries) -> Iterator[Finding]:
    """A scope that is over when ``call_next`` has returned; one that closes before it harms nothing."""
    waiting = [(function, _last_parameter(function)) for function in entries.http_middleware]
    for cls in flows.project.classes.values():
        dispatch = cls.methods.get("dispatch")
        if dispatch is not None and any(last(name) == "BaseHTTPMiddleware" for name in flows.project.ancestors(cls)):
            waiting.append((dispatch, _last_parameter(dispatch)))
    seen: set[tuple[Function, str]] = set()
    while waiting:
        function, forward = waiting.pop()
        if (function, forward) in seen:
            continue
        seen.add((function, forward))
        flow = flows.of(function)
        for opened in flow.opened:
            if any(_calls(part, forward) for part in opened.body):
                yield finding_at("IL109", function, opened.node, IN_HTTP_MIDDLEWARE)
        for node in function.own(ast.Call):
            if identifier(node.func) in SCOPED_RUNNERS and _calls(node, forward):
                yield finding_at("IL109", function, node, IN_HTTP_MIDDLEWARE)
        if flows.scopes.around(function) is not None:
            yield finding_at("IL109", function, function.decorators[-1], IN_HTTP_MIDDLEWARE)
        for step in flow.steps:
            for edge in step.edges:
                waiting += [
                    (edge.target, parameter)
                    for parameter, value in edge.target.passed(step.node)
                    if isinstance(value, ast.Name) and value.id == forward
                ]


def _last_parameter(function: Function) -> str:
    names = [argument.arg for argument in function.arguments()]
    return names[-1] if names else ""


def _calls(node: ast.AST, name: str) -> bool:
    """Whether ``call_next`` is called, or handed on, in a piece of code."""
    return any(isinstance(found, ast.Name) and found.id == name for found in walk(node))
