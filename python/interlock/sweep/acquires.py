"""Which calls take a connection from a pool."""

from __future__ import annotations

import ast

from interlock.sweep.project import Project
from interlock.sweep.symbols import Where, enclosing
from interlock.sweep.text import identifier
from interlock.sweep.vocabulary import (
    ACQUIRING_METHODS,
    DATABASE_NAME,
    OTHER_DRIVERS,
    POOL_CLASS,
    POOL_GETTER,
    POOL_NAME,
    POOL_TYPES,
    last,
)

MAX_HOPS = 4


class Acquires:
    """Judges by the type of the receiver, and where that is not known by its name."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def calling(self, node: ast.expr, where: Where, hops: int = 0) -> bool:
        """Whether calling ``node`` acquires: ``pool.fetch``, an alias of it, a partial, ``acquire_connection``."""
        if last(self.project.resolve(node, where)) == "acquire_connection":
            return True
        if isinstance(node, ast.Call):
            is_partial = last(self.project.resolve(node.func, where)) == "partial"
            return bool(is_partial and node.args) and hops < MAX_HOPS and self.calling(node.args[0], where, hops + 1)
        if isinstance(node, ast.Name) and hops < MAX_HOPS:
            for scope in enclosing(where):
                if node.id in scope.bindings:
                    values = scope.bindings[node.id]
                    return any(isinstance(v, _REFERENCES) and self.calling(v, scope, hops + 1) for v in values)
            return False
        if not isinstance(node, ast.Attribute) or node.attr not in ACQUIRING_METHODS:
            return False
        return self._is_pool(node.value, where, node.attr)

    def _is_pool(self, receiver: ast.expr, where: Where, method: str) -> bool:
        known = self.project.type_of(receiver, where)
        if known is not None:
            if self.project.is_a(known, POOL_TYPES):
                return True
            if known in self.project.classes or known.partition(".")[0] in OTHER_DRIVERS:
                return False
            if "." in known and not POOL_CLASS.search(known):
                return False
        if isinstance(receiver, ast.Await):
            receiver = receiver.value
        if isinstance(receiver, ast.Call):
            name = identifier(receiver.func)
            return bool(POOL_GETTER.search(name) or POOL_NAME.search(name))
        if isinstance(receiver, ast.Subscript) and POOL_NAME.search(identifier(receiver.value)):
            return True
        name = identifier(receiver)
        return bool(POOL_NAME.search(name)) or (method == "acquire" and bool(DATABASE_NAME.search(name)))


_REFERENCES = ast.Attribute | ast.Call
