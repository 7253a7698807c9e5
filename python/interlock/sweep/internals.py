"""IL110: a route module that takes a pool past the router of the scope."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from interlock.sweep.entries import Entries
from interlock.sweep.findings import Finding, finding_at
from interlock.sweep.flows import Flows
from interlock.sweep.project import Project
from interlock.sweep.symbols import Module, Where
from interlock.sweep.syntax import walk
from interlock.sweep.text import identifier
from interlock.sweep.vocabulary import POOL_NAME, POOL_TYPES

INTERNAL = {
    "asyncpg.create_pool",
    "asyncpg.connect",
    "asyncpg.pool",
    "interlock._native",
    "interlock.tenancy.pools",
    "interlock.tenancy.connection",
    "interlock.tenancy.lane",
    "interlock.tenancy.system_statements",
}
RAW_POOL = re.compile(
    r"^_\w*pools?$|^_*(get_|make_)?(admin|owner|tenant|raw|bypass|superuser|privileged)_(db_|pg_)?pools?$"
)
POOL_MODULE = re.compile(r"(^|\.)_\w*pools?(\.|$)")


def findings(flows: Flows, entries: Entries) -> Iterator[Finding]:
    """Imports of pool internals, and private pools taken from an imported module, in modules that define routes."""
    modules = {handler.module.name: handler.module for handler in entries.handlers}
    attributes: dict[str, list[tuple[ast.AST, Where]]] = {name: [] for name in modules}
    for where in flows.project.places():
        if where.module.name in modules:
            attributes[where.module.name] += ((node, where) for node in where.own(ast.Attribute))
    for name, module in modules.items():
        reported: set[str] = set()
        for node, where in (*((node, module) for node in module.import_statements), *attributes[name]):
            for dotted, local in _taken(flows.project, where, node):
                for_types = dotted.startswith("asyncpg.pool") and local in _only_annotated(module)
                if dotted not in reported and not for_types:
                    reported.add(dotted)
                    message = (
                        f"a route module takes {dotted}: acquire through the pools of `create_tenant_pools`, which "
                        "the scope routes"
                    )
                    yield finding_at("IL110", module, node, message)


def _taken(project: Project, where: Where, node: ast.AST) -> Iterator[tuple[str, str]]:
    """(what is taken, under which name)."""
    module = where.module
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name in INTERNAL or POOL_MODULE.search(alias.name):
                yield alias.name, alias.asname or alias.name
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            local = alias.asname or alias.name
            dotted = module.imports.get(local, f"{node.module}.{alias.name}")
            if _is_internal(project, dotted):
                yield dotted, local
    elif isinstance(node, ast.Attribute) and _is_private_part(project, where, node):
        yield ast.unparse(node), node.attr
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in module.imports:
        dotted = f"{module.imports[node.value.id]}.{node.attr}"
        home = module.imports[node.value.id]
        if home in project.modules and (RAW_POOL.search(node.attr) or _is_raw_pool(project, dotted)):
            yield dotted, node.attr


def _is_private_part(project: Project, where: Where, node: ast.AST) -> bool:
    """``pools._tenant_pool``: a part of the pools that is nobody else's."""
    if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.startswith("__"):
        return False
    return bool(POOL_NAME.search(identifier(node.value)) or project.type_of(node.value, where) in POOL_TYPES)


def _is_internal(project: Project, dotted: str) -> bool:
    owner, _, name = dotted.rpartition(".")
    return (
        dotted in INTERNAL
        or owner in INTERNAL
        or bool(RAW_POOL.search(name) or POOL_MODULE.search(owner))
        or _is_raw_pool(project, dotted)
    )


def _is_raw_pool(project: Project, dotted: str) -> bool:
    owner, _, name = project.canonical(dotted).rpartition(".")
    home = project.modules.get(owner)
    if home is None or name not in home.bindings:
        return False
    types = {project.type_of(value, home) for value in home.bindings[name]}
    return bool(types & {"asyncpg.Pool", "asyncpg.pool.Pool"})


def _only_annotated(module: Module) -> set[str]:
    """Names used in annotations and nowhere else."""
    annotated: set[int] = set()
    for node in walk(module.source.tree):
        places = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        annotated.update(id(name) for place in places if place is not None for name in walk(place))
    used: dict[str, bool] = {}
    for node in walk(module.source.tree):
        if isinstance(node, ast.Name):
            used[node.id] = used.get(node.id, True) and id(node) in annotated
    imported = set(module.imports)
    return {name for name in imported if used.get(name, True)}
