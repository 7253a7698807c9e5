"""IL108, IL109, IL110: a scope or a pool in a place where it cannot hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from interlock.sweep.entries import Entries
from interlock.sweep.findings import Finding
from interlock.sweep.flow import Flows, identifier
from interlock.sweep.scopes import Scopes
from interlock.sweep.sources import walk
from interlock.sweep.symbols import Class, Function, Module, Project

POOL_INTERNALS = {
    "asyncpg.create_pool",
    "asyncpg.connect",
    "asyncpg.pool",
    "interlock._native",
    "interlock.tenancy.pools",
    "interlock.tenancy.connection",
    "interlock.tenancy.lane",
}
RAW_POOL_NAMES = {"admin_pool", "owner_pool", "tenant_pool", "raw_pool", "_pool", "_pools", "_admin_pool"}


def findings(project: Project, scopes: Scopes, flows: Flows, entries: Entries) -> Iterator[Finding]:
    """Scopes across yields, in dependencies and middleware; pool internals in route modules."""
    for function in project.all_functions():
        yield from _across_yield(function, scopes, flows, entries)
    yield from _in_http_middleware(project, flows, entries)
    handler_modules = {handler.module.name: handler.module for handler in entries.handlers}
    for module in handler_modules.values():
        yield from _internals(project, module)


def _across_yield(function: Function, scopes: Scopes, flows: Flows, entries: Entries) -> Iterator[Finding]:
    if scopes.is_manager(function) or function in entries.resolvers or function in entries.lifespan:
        return
    flow = flows.of(function)
    synchronous = isinstance(function.node, ast.FunctionDef)
    if synchronous and function in entries.dependencies and flow.opened:
        node = flow.opened[0][0]
        yield _finding(
            "IL108",
            function,
            node,
            "a scope opened in a synchronous dependency is lost in its thread: make the dependency `async def`, "
            "or use `interlock.web.scoped`",
        )
        return
    if not synchronous and (function in entries.dependencies or _is_fixture(function)):
        return  # an async-yield dependency runs in the request's own context
    for node, standing in flow.yields:
        if standing.scope is not None:
            yield _finding(
                "IL108",
                function,
                node,
                "a scope is open across this yield and leaks to whoever iterates: collect first, or open the scope "
                "in the consumer",
            )
            return


def _is_fixture(function: Function) -> bool:
    return any(identifier(_called(node)) == "fixture" for node in function.node.decorator_list)


def _called(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def _in_http_middleware(project: Project, flows: Flows, entries: Entries) -> Iterator[Finding]:
    places = list(entries.http_middleware)
    for cls in project.classes.values():
        if _is_base_http(project, cls):
            places += cls.methods.values()
    for function in places:
        seen: set[Function] = set()
        waiting = [function]
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            flow = flows.of(current)
            for node, _, _ in flow.opened:
                yield _finding(
                    "IL109",
                    current,
                    node,
                    "a scope opened in BaseHTTPMiddleware ends before background tasks and streamed bodies: use "
                    "`interlock.web.TenantMiddleware`",
                )
            # Helpers of the same module only: a shared function may also be called from the right place.
            waiting += [step.calls for step in flow.steps if step.calls and step.calls.module is function.module]


def _is_base_http(project: Project, cls: Class, hops: int = 0) -> bool:
    for base in cls.node.bases:
        name = project.resolve(base, None, cls.module) or ""
        if name.rpartition(".")[2] == "BaseHTTPMiddleware":
            return True
        parent = project.classes.get(name)
        if parent is not None and parent is not cls and hops < 8 and _is_base_http(project, parent, hops + 1):
            return True
    return False


def _internals(project: Project, module: Module) -> Iterator[Finding]:
    for node in walk(module.source.tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        for alias in node.names:
            local = alias.asname or alias.name.partition(".")[0]
            dotted = module.imports.get(local, alias.name) if isinstance(node, ast.ImportFrom) else alias.name
            if _is_internal(dotted) or alias.name in RAW_POOL_NAMES or _is_raw_pool(project, dotted):
                yield Finding(
                    path=module.source.path,
                    line=node.lineno,
                    column=node.col_offset + 1,
                    rule="IL110",
                    message=f"a route module imports {dotted}: acquire through the pools of "
                    "`create_tenant_pools`, which the scope routes",
                    subject=dotted,
                )


def _is_internal(dotted: str) -> bool:
    return dotted in POOL_INTERNALS or dotted.rpartition(".")[0] in POOL_INTERNALS


def _is_raw_pool(project: Project, dotted: str) -> bool:
    owner, _, name = dotted.rpartition(".")
    home = project.modules.get(owner)
    if home is None or name not in home.bindings:
        return False
    return project.type_of(home.bindings[name], None, home) in {"asyncpg.Pool", "asyncpg.pool.Pool"}


def _finding(rule: str, function: Function, node: ast.expr, message: str) -> Finding:
    return Finding(
        path=function.module.source.path,
        line=node.lineno,
        column=node.col_offset + 1,
        rule=rule,
        message=message,
        subject=function.name,
    )
