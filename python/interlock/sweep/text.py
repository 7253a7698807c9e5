"""The text an expression stands for, as far as the source shows it."""

from __future__ import annotations

import ast

from interlock.sweep.project import Project
from interlock.sweep.symbols import Function, Where, enclosing
from interlock.sweep.vocabulary import last

PLACEHOLDER = "\N{OBJECT REPLACEMENT CHARACTER}"
MAX_HOPS = 12
FROM_ENVIRONMENT = {"BaseSettings"}


def text_of(project: Project, node: ast.expr | None, where: Where, hops: int = 0) -> str | None:
    """Return literal text; what is not known in an f-string or a sum becomes one placeholder character each."""
    if node is None or hops > MAX_HOPS:
        return None
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.FormattedValue) else part for part in node.values)
        return "".join(text_of(project, part, where, hops + 1) or PLACEHOLDER for part in parts)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        # A long sum leans to the left: its terms in order, without recursion.
        terms: list[ast.expr] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Add):
            terms.insert(0, left.right)
            left = left.left
        texts = [text_of(project, term, where, hops + 1) for term in (left, *terms)]
        return None if all(text is None for text in texts) else "".join(text or PLACEHOLDER for text in texts)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return text_of(project, node.left, where, hops + 1)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"format", "strip"}:
        return text_of(project, node.func.value, where, hops + 1)
    if isinstance(node, ast.Name | ast.Attribute):
        return _named(project, node, where, hops)
    return None


def _named(project: Project, node: ast.Name | ast.Attribute, where: Where, hops: int) -> str | None:
    for value, place in bound_values(project, node, where):
        found = text_of(project, value, place, hops + 1)
        if found is not None:
            return found
    return None


def bound_values(project: Project, node: ast.expr, where: Where) -> list[tuple[ast.expr, Where]]:
    """What a name or attribute is bound to, the latest first; settings read from the environment are not known."""
    if isinstance(node, ast.Name):
        for scope in enclosing(where):
            if node.id in scope.bindings:
                return [(value, scope) for value in reversed(scope.bindings[node.id])]
            if isinstance(scope, Function) and node.id in scope.parameters:
                return []
    if isinstance(node, ast.Attribute):
        owner = project.type_of(node.value, where) or project.resolve(node.value, where) or ""
        cls = project.classes.get(owner)
        if cls is not None:
            settings = any(last(name) in FROM_ENVIRONMENT for name in project.ancestors(cls))
            return [] if settings else list(reversed(project.attribute(cls, node.attr)))
    home, _, name = (project.resolve(node, where) or "").rpartition(".")
    if home not in project.modules:
        return []
    return [(value, project.modules[home]) for value in reversed(project.modules[home].bindings.get(name, ()))]


def identifier(node: ast.expr) -> str:
    """The last identifier of a name, attribute or subscript: ``pool`` of ``request.app.state.pool``."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Subscript):
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            return node.slice.value
        return identifier(node.value)
    return ""
