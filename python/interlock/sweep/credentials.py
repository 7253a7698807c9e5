"""IL106: a DSN or a password written beside a direct connect."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from interlock.sweep.findings import Finding
from interlock.sweep.flow import Flow, Flows
from interlock.sweep.symbols import Function, Module, Project
from interlock.sweep.text import text_of

CONNECTS = {"asyncpg.connect", "asyncpg.create_pool", "asyncpg.connection.connect", "asyncpg.pool.create_pool"}
WITH_PASSWORD = re.compile(r"postgres(ql)?(\+\w+)?://[^\s/@:]*:[^\s@]+@", re.IGNORECASE)
PRIVILEGED = re.compile(r"postgres(ql)?(\+\w+)?://\w*(postgres|admin|owner|root|super)\w*@", re.IGNORECASE)


def findings(project: Project, flows: Flows) -> Iterator[Finding]:
    """Every direct connect whose address or password stands in the code."""
    for function in project.all_functions():
        yield from _in_flow(project, flows.of(function), function, function.module)
    for module in project.modules.values():
        yield from _in_flow(project, flows.of_top_level(module), None, module)


def _in_flow(project: Project, flow: Flow, function: Function | None, module: Module) -> Iterator[Finding]:
    for step in flow.steps:
        called = project.resolve(step.node.func, function, module) or ""
        if called in CONNECTS or called.rpartition(".")[2] == "create_tenant_pools":
            what = _credential(step.node, function, module)
            if what is not None:
                yield Finding(
                    path=module.source.path,
                    line=step.node.lineno,
                    column=step.node.col_offset + 1,
                    rule="IL106",
                    message=f"{what} is written in the code: take both DSNs from the settings and connect through "
                    "`create_tenant_pools`",
                    subject=function.name if function else module.name,
                )


def _credential(node: ast.Call, function: Function | None, module: Module) -> str | None:
    named = {keyword.arg: keyword.value for keyword in node.keywords}
    for place in (*node.args[:2], *(named.get(name) for name in ("dsn", "tenant_dsn", "admin_dsn"))):
        text = text_of(place, function, module) or ""
        if WITH_PASSWORD.search(text):
            return "a DSN with its password"
        if PRIVILEGED.search(text):
            return "the DSN of a privileged role"
    password = named.get("password")
    if isinstance(password, ast.Constant | ast.JoinedStr | ast.Name) and text_of(password, function, module):
        return "a password"
    return None
