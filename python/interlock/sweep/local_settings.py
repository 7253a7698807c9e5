"""IL104: a transaction-local setting where no transaction is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from interlock.sweep.entries import Entries
from interlock.sweep.findings import Finding
from interlock.sweep.flow import Flow, Flows, Step, identifier
from interlock.sweep.symbols import Function, Project
from interlock.sweep.text import text_of

LOCAL = re.compile(r"\bSET\s+LOCAL\b|\bset_config\s*\([^)]*,\s*(true|'t'|'true'|1)\s*\)", re.IGNORECASE)
BEGINS = re.compile(r"^\s*(BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE)
SENDERS = {"execute", "fetch", "fetchrow", "fetchval", "executemany"}


def findings(project: Project, flows: Flows, entries: Entries) -> Iterator[Finding]:
    """A callback never has a transaction; elsewhere only connections acquired in sight are judged."""
    for function in project.all_functions():
        flow = flows.of(function)
        for step in flow.steps:
            text = _sent(step, function)
            if text is None or not LOCAL.search(text) or BEGINS.search(text):
                continue
            if function in entries.callbacks:
                where = f"in the pool callback {entries.callbacks[function]}"
            elif not step.standing.transaction and _acquired_here(step, function) and not _begins(flow, function):
                where = "outside a transaction"
            else:
                continue
            yield Finding(
                path=function.module.source.path,
                line=step.node.lineno,
                column=step.node.col_offset + 1,
                rule="IL104",
                message=f"a transaction-local setting {where} does nothing: "
                "use `tenant_scope`, or `async with connection.transaction()` around it",
                subject=function.name,
            )


def _sent(step: Step, function: Function) -> str | None:
    if identifier(step.node.func) not in SENDERS or not step.node.args:
        return None
    return text_of(step.node.args[0], function, function.module)


def _acquired_here(step: Step, function: Function) -> bool:
    if step.acquires:
        return True  # a statement sent through the pool itself has a connection of its own
    receiver = step.node.func.value if isinstance(step.node.func, ast.Attribute) else None
    if not isinstance(receiver, ast.Name):
        return False
    source = function.bindings.get(receiver.id)
    if isinstance(source, ast.Await):
        source = source.value
    return isinstance(source, ast.Call) and identifier(source.func) in {"acquire", "connect", "acquire_connection"}


def _begins(flow: Flow, function: Function) -> bool:
    """A transaction opened by hand: ``await tr.start()`` or a BEGIN."""
    for step in flow.steps:
        if identifier(step.node.func) == "start" and isinstance(step.node.func, ast.Attribute):
            return True
        text = _sent(step, function)
        if text is not None and BEGINS.search(text):
            return True
    return False
