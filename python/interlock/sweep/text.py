"""The text an expression stands for, as far as the source shows it."""

from __future__ import annotations

import ast

from interlock.sweep.symbols import Function, Module

PLACEHOLDER = "\N{OBJECT REPLACEMENT CHARACTER}"


def text_of(node: ast.expr | None, function: Function | None, module: Module, hops: int = 0) -> str | None:
    """Return literal text; what an f-string interpolates becomes one placeholder character each."""
    if node is None or hops > 8:
        return None
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else PLACEHOLDER for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = [text_of(side, function, module, hops + 1) for side in (node.left, node.right)]
        return None if sides == [None, None] else "".join(PLACEHOLDER if side is None else side for side in sides)
    if isinstance(node, ast.Name):
        scope = function
        while scope is not None:
            if node.id in scope.bindings:
                return text_of(scope.bindings[node.id], scope, module, hops + 1)
            if node.id in scope.parameters():
                return None
            scope = scope.parent
        return text_of(module.bindings.get(node.id), None, module, hops + 1)
    return None
