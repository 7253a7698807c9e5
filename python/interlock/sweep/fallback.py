"""IL107: a tenant that is assumed when none was given."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from interlock.sweep.findings import Finding
from interlock.sweep.flow import identifier
from interlock.sweep.sources import walk
from interlock.sweep.symbols import Function, Module, Project

TENANT = re.compile(r"(^|_)(org|tenant|workspace)_?id$", re.IGNORECASE)
PARAMETER_MARKERS = {"Query", "Header", "Path", "Cookie", "Body", "Form", "Field"}
GETTERS = {"get", "pop", "getenv", "getattr", "setdefault"}


def findings(project: Project) -> Iterator[Finding]:
    """Defaults of parameters and fields, ``or 1``, ``.get("org_id", 1)``, and None that is used as it is."""
    for function in project.all_functions():
        for node, name in _defaults(function):
            yield _finding(function.module, node, function.name, f"{name} has a default tenant")
        for node, name in _none_used(function):
            yield _finding(function.module, node, function.name, f"{name} may be None and is used unchecked")
    for module in project.modules.values():
        for found in walk(module.source.tree):
            subject = _assumed(found)
            if subject is not None:
                yield _finding(module, found, module.name, f"{subject} falls back to a tenant")
            elif isinstance(found, ast.ClassDef):
                for field in found.body:
                    if isinstance(field, ast.AnnAssign) and _is_tenant(field.target) and _is_assumed(field.value):
                        yield _finding(module, field, found.name, f"{identifier(field.target)} has a default tenant")


def _finding(module: Module, node: ast.AST, subject: str, what: str) -> Finding:
    return Finding(
        path=module.source.path,
        line=getattr(node, "lineno", 1),
        column=getattr(node, "col_offset", 0) + 1,
        rule="IL107",
        message=f"{what}: make it required and refuse the call without it",
        subject=subject,
    )


def _parameters(function: Function) -> Iterator[tuple[ast.arg, ast.expr]]:
    arguments = function.node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    with_default = positional[len(positional) - len(arguments.defaults) :]
    yield from zip(with_default, arguments.defaults, strict=True)
    for keyword, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            yield keyword, default


def _defaults(function: Function) -> Iterator[tuple[ast.expr, str]]:
    for parameter, default in _parameters(function):
        if TENANT.search(parameter.arg) and _is_assumed(default):
            yield default, parameter.arg


def _is_assumed(default: ast.expr | None) -> bool:
    """A constant tenant, also as ``Query(1)`` or ``Field(default=1)``; None and "" are absences."""
    if isinstance(default, ast.Constant):
        return isinstance(default.value, int | str) and not isinstance(default.value, bool) and default.value != ""
    if isinstance(default, ast.Call) and identifier(default.func) in PARAMETER_MARKERS:
        named = [keyword.value for keyword in default.keywords if keyword.arg == "default"]
        return any(_is_assumed(value) for value in (*default.args[:1], *named) if isinstance(value, ast.Constant))
    return False


def _none_used(function: Function) -> Iterator[tuple[ast.expr, str]]:
    """``org_id=None`` handed to a call in a function that never looks whether it is None."""
    for parameter, default in _parameters(function):
        if not TENANT.search(parameter.arg) or not (isinstance(default, ast.Constant) and default.value is None):
            continue
        uses = [node for node in walk(function.node) if isinstance(node, ast.Name) and node.id == parameter.arg]
        if not _is_checked(function, parameter.arg) and any(_reaches_a_statement(function, use) for use in uses):
            yield default, parameter.arg


def _is_checked(function: Function, name: str) -> bool:
    for node in walk(function.node):
        tests: list[ast.expr] = []
        if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert):
            tests = [node.test]
        elif isinstance(node, ast.BoolOp):
            tests = node.values
        elif isinstance(node, ast.Compare):
            tests = [node]
        elif isinstance(node, ast.Assign) and any(identifier(target) == name for target in node.targets):
            return True
        if any(isinstance(part, ast.Name) and part.id == name for test in tests for part in walk(test)):
            return True
    return False


def _reaches_a_statement(function: Function, use: ast.Name) -> bool:
    """Only what is sent to the database is judged: other calls may well take None."""
    senders = {"execute", "fetch", "fetchrow", "fetchval", "executemany", "tenant_scope", "with_tenant"}
    return any(
        isinstance(node, ast.Call) and identifier(node.func) in senders and use in set(walk(node))
        for node in walk(function.node)
    )


def _assumed(node: ast.AST) -> str | None:
    """``org_id or 1``, ``org_id if org_id else 1``, ``get("org_id", 1)``, ``if org_id is None: org_id = 1``."""
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        if any(_is_tenant(value) for value in node.values[:-1]) and _is_assumed(node.values[-1]):
            return _shown(node.values[0])
    elif isinstance(node, ast.IfExp):
        sides = (node.body, node.orelse)
        if any(_is_tenant(side) for side in sides) and any(_is_assumed(side) for side in sides):
            return _shown(next(side for side in sides if _is_tenant(side)))
    elif isinstance(node, ast.Call) and identifier(node.func) in GETTERS and len(node.args) >= 2:
        key, default = node.args[-2], node.args[-1]
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and TENANT.search(key.value.replace("-", "_")):
            return repr(key.value) if _is_assumed(default) else None
    elif isinstance(node, ast.If) and any(_is_tenant(part) for part in walk(node.test)):
        for statement in node.body:
            if (
                isinstance(statement, ast.Assign)
                and _is_assumed(statement.value)
                and any(_is_tenant(target) for target in statement.targets)
            ):
                return _shown(statement.targets[0])
    return None


def _is_tenant(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and identifier(node.func) in GETTERS and node.args:
        key = node.args[-1]
        return isinstance(key, ast.Constant) and isinstance(key.value, str) and bool(TENANT.search(key.value))
    return isinstance(node, ast.expr) and bool(TENANT.search(identifier(node)))


def _shown(node: ast.expr) -> str:
    return identifier(node) or "the tenant"
