"""IL107: a tenant that is assumed when none was given."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from interlock.sweep.findings import Finding, finding_at
from interlock.sweep.project import Project
from interlock.sweep.symbols import Class, Function, Where, enclosing
from interlock.sweep.syntax import children, walk
from interlock.sweep.text import bound_values, identifier, text_of

TENANT = re.compile(
    r"(^|_)(?<!platform_)(?<!system_)(?<!root_)(?<!parent_)(org|organi[sz]ation|tenant|workspace)_?id$", re.IGNORECASE
)
# What stands for "none" in a log line, a label or a cache key is no tenant.
LABEL = re.compile(
    r"^(\W*|<.*>|none|null|unknown|missing|n/?a|anonymous|global|platform|system|\(.*\))$", re.IGNORECASE
)
ASSUMED_NAME = re.compile(
    r"(^|_)(default|fallback|demo)_(\w*_)?(org|organi[sz]ation|tenant|workspace)(_?id)?$", re.IGNORECASE
)
PARAMETER_MARKERS = {"Query", "Header", "Path", "Cookie", "Body", "Form", "Field", "field", "Column", "mapped_column"}
GETTERS = {"get", "pop", "getenv", "getattr", "setdefault"}
MADE_OF_CONSTANT = {"UUID", "int", "str"}
COMMANDS = {"command", "callback", "option", "argument"}
SENDERS = {"execute", "fetch", "fetchrow", "fetchval", "executemany"}
OPENERS = {"tenant_scope", "with_tenant"}
# Statements where no tenant is a value like any other: a column that may be NULL, or a filter that says so itself.
TAKES_NULL = re.compile(r"\bINSERT\s+INTO\b|\bIS\s+(NOT\s+)?(NULL|DISTINCT)\b|\bCOALESCE\b", re.IGNORECASE)


class Fallbacks:
    """Defaults of parameters and fields, ``or 1``, ``.get("org_id", 1)``, and None that is used as it is."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def findings(self) -> Iterator[Finding]:
        """Every place that assumes a tenant."""
        for function in self.project.all_functions:
            if not _is_command(function):
                for parameter, default in function.with_defaults():
                    if TENANT.search(parameter.arg):
                        yield from self._default(function, parameter.arg, default)
        for cls in self.project.classes.values():
            yield from self._fields(cls)
        for where in self.project.places():
            for kind in (ast.BoolOp, ast.IfExp, ast.Call, ast.If, ast.Try):
                for node in where.own(kind):
                    subject = self._assumed_by(node, where)
                    if subject is not None:
                        yield _finding(where, node, f"{subject} falls back to a tenant")

    def _default(self, function: Function, name: str, default: ast.expr) -> Iterator[Finding]:
        if self._is_assumed(default, function.outer):
            yield _finding(function, default, f"{name} has a default tenant")
        elif _is_none(default) and not _is_checked(function, name) and self._is_sent(function, name):
            yield _finding(function, default, f"{name} may be None and is used unchecked")

    def _fields(self, cls: Class) -> Iterator[Finding]:
        for node in cls.node.body:
            targets = (
                [node.target]
                if isinstance(node, ast.AnnAssign)
                else node.targets
                if isinstance(node, ast.Assign)
                else []
            )
            value = node.value if isinstance(node, ast.AnnAssign | ast.Assign) else None
            for target in targets:
                if value is not None and _is_tenant(target) and self._is_assumed(value, cls.outer):
                    yield _finding(cls.outer, node, f"{identifier(target)} has a default tenant")

    def _assumed_by(self, node: ast.AST, where: Where) -> str | None:
        """``org_id or 1``, ``org_id if org_id else 1``, ``get("org_id", 1)``, and the same as statements."""
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            if any(_is_tenant(value) for value in node.values[:-1]) and self._is_assumed(node.values[-1], where):
                return _shown(node.values[0])
        elif isinstance(node, ast.IfExp):
            sides = (node.body, node.orelse)
            if any(_is_tenant(side) for side in sides) and any(self._is_assumed(side, where) for side in sides):
                return _shown(next(side for side in sides if _is_tenant(side)))
        elif isinstance(node, ast.Call):
            return self._by_call(node, where)
        elif isinstance(node, ast.If):
            return self._by_branches(node.body, node.orelse, where, _mentions_tenant(node.test))
        elif isinstance(node, ast.Try):
            for handler in node.handlers:
                found = self._by_branches(handler.body, node.body, where, whole=False)
                if found is not None:
                    return found
        return None

    def _by_call(self, node: ast.Call, where: Where) -> str | None:
        name = identifier(node.func)
        if (
            name in GETTERS
            and len(node.args) >= 2
            and _is_key(node.args[-2])
            and self._is_assumed(node.args[-1], where)
        ):
            return ast.unparse(node.args[-2])
        if name == "ContextVar" and node.args and _is_key(node.args[0]):
            defaults = [keyword.value for keyword in node.keywords if keyword.arg == "default"]
            return "the context variable" if any(self._is_assumed(value, where) for value in defaults) else None
        return None

    def _by_branches(self, body: list[ast.stmt], other: list[ast.stmt], where: Where, whole: bool) -> str | None:
        """A branch that gives the tenant a constant, where another branch, or the test, concerns the same name."""
        for branch, rest in ((body, other), (other, body)):
            for statement in branch:
                if isinstance(statement, ast.Assign) and self._is_assumed(statement.value, where):
                    for target in statement.targets:
                        if _is_tenant(target) and (whole or _assigns(rest, identifier(target))):
                            return _shown(target)
        return None

    def _is_assumed(self, node: ast.expr | None, where: Where, hops: int = 0) -> bool:
        """A constant tenant, also by name, as ``Query(1)`` or ``Field(default=1)``; None and "" are absences."""
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                # The name of a column or a header is no tenant either.
                return not LABEL.match(node.value) and not TENANT.search(node.value.replace("-", "_"))
            return isinstance(node.value, int) and not isinstance(node.value, bool)
        if isinstance(node, ast.Call):
            if identifier(node.func) in PARAMETER_MARKERS:
                is_column = identifier(node.func) in {"Column", "mapped_column", "field"}
                named = [k.value for k in node.keywords if k.arg in {"default", "server_default"}]
                values = named if is_column else [*node.args[:1], *named]
                return any(self._is_assumed(value, where, hops + 1) for value in values)
            is_made = identifier(node.func) in MADE_OF_CONSTANT and len(node.args) == 1
            return (
                is_made and isinstance(node.args[0], ast.Constant) and self._is_assumed(node.args[0], where, hops + 1)
            )
        if isinstance(node, ast.Name | ast.Attribute) and hops < 4:
            if ASSUMED_NAME.search(identifier(node)):
                return not isinstance(node, ast.Name) or not _is_parameter(node.id, where)
            if isinstance(node, ast.Name) and node.id.isupper():
                bound = bound_values(self.project, node, where)
                return any(self._is_assumed(value, place, hops + 1) for value, place in bound)
        return False

    def _is_sent(self, function: Function, name: str) -> bool:
        """Only what opens a scope or is sent to the database is judged: other calls may well take None."""
        for node in walk(function.node):
            if isinstance(node, ast.Call):
                given = [*node.args, *(keyword.value for keyword in node.keywords)]
                if not any(isinstance(part, ast.Name) and part.id == name for one in given for part in walk(one)):
                    continue
                called = identifier(node.func)
                if called in OPENERS:
                    return True
                if called in SENDERS and not TAKES_NULL.search(text_of(self.project, _first(node), function) or ""):
                    return True
        return False


def findings(project: Project) -> Iterator[Finding]:
    """Every tenant that is assumed."""
    return Fallbacks(project).findings()


def _finding(where: Where, node: ast.AST, what: str) -> Finding:
    message = (
        f"{what}: make it required, refuse the call without it, and open `tenant_scope(org_id)` with what was given"
    )
    return finding_at("IL107", where, node, message)


def _first(node: ast.Call) -> ast.expr | None:
    return node.args[0] if node.args else None


def _is_none(node: ast.expr) -> bool:
    """None, also as ``Query(None)`` and ``Header(default=None)``."""
    if isinstance(node, ast.Constant):
        return node.value is None
    if isinstance(node, ast.Call) and identifier(node.func) in PARAMETER_MARKERS:
        named = [keyword.value for keyword in node.keywords if keyword.arg == "default"]
        return any(isinstance(value, ast.Constant) and value.value is None for value in (*node.args[:1], *named))
    return False


def _is_command(function: Function) -> bool:
    """A command line's own default is the operator's choice."""
    return any(identifier(one.func if isinstance(one, ast.Call) else one) in COMMANDS for one in function.decorators)


def _is_checked(function: Function, name: str) -> bool:
    for node in walk(function.node):
        tests: list[ast.expr] = []
        if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert):
            tests = [node.test]
        elif isinstance(node, ast.BoolOp):
            tests = node.values
        elif isinstance(node, ast.Compare):
            tests = [node]
        elif isinstance(node, ast.Match):
            tests = [node.subject]
        elif isinstance(node, ast.Assign) and any(identifier(target) == name for target in node.targets):
            return True
        elif isinstance(node, ast.Call) and re.search(
            r"require|check|ensure|valid|assert|resolve", identifier(node.func)
        ):
            tests = node.args
        if any(isinstance(part, ast.Name) and part.id == name for test in tests for part in walk(test)):
            return True
    return False


def _mentions_tenant(test: ast.expr) -> bool:
    return any(_is_tenant(part) for part in walk(test))


def _assigns(body: list[ast.stmt], name: str) -> bool:
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Assign) and any(identifier(target) == name for target in node.targets):
            return not isinstance(node.value, ast.Constant)
        if isinstance(node, ast.stmt):
            pending += children(node)
    return False


def _is_key(node: ast.expr) -> bool:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return is_text and bool(TENANT.search(str(node.value).replace("-", "_")))  # type: ignore[attr-defined]


def _is_tenant(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and identifier(node.func) in GETTERS and node.args:
        return _is_key(node.args[1] if identifier(node.func) == "getattr" and len(node.args) > 1 else node.args[0])
    return isinstance(node, ast.expr) and bool(TENANT.search(identifier(node).replace("-", "_")))


def _is_parameter(name: str, where: Where) -> bool:
    return any(isinstance(scope, Function) and name in scope.parameters for scope in enclosing(where))


def _shown(node: ast.expr) -> str:
    return identifier(node) or "the tenant"
