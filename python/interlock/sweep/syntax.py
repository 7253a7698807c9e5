"""Walks syntax trees without recursion."""

from __future__ import annotations

import ast
from collections.abc import Iterator

# These hold operators, contexts and text; leaving them out halves the cost of a walk.
_WITHOUT_CODE = {
    "ctx",
    "op",
    "ops",
    "id",
    "attr",
    "arg",
    "kind",
    "type_comment",
    "conversion",
    "level",
    "module",
    "asname",
}
_fields: dict[type[ast.AST], tuple[str, ...]] = {ast.Constant: ()}


def children(node: ast.AST) -> list[ast.AST]:
    """The child nodes of a node that are code, in the order of ``ast.iter_child_nodes``."""
    kind = type(node)
    fields = _fields.get(kind)
    if fields is None:
        fields = _fields[kind] = tuple(name for name in kind._fields if name not in _WITHOUT_CODE)
    found: list[ast.AST] = []
    for name in fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            found.append(value)
        elif isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
    return found


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """Every node below and with ``node``, in no particular order."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending += children(current)
