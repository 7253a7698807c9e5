"""IL104: a transaction-local setting where no transaction is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from interlock.sweep.entries import Entries, dependencies_of
from interlock.sweep.findings import Finding, finding_at
from interlock.sweep.flow import Flow, Step
from interlock.sweep.flows import Flows
from interlock.sweep.symbols import Function
from interlock.sweep.syntax import walk
from interlock.sweep.text import identifier, text_of

SET_LOCAL = re.compile(r"\bSET\s+LOCAL\b", re.IGNORECASE)
SET_CONFIG = re.compile(r"\bset_config\s*\(", re.IGNORECASE)
TRUE = re.compile(r"^\s*(is_local\s*(=>|:=)\s*)?('?t(rue)?'?(::bool(ean)?)?|'?on'?|'1')\s*$", re.IGNORECASE)
PARAMETER = re.compile(r"^\s*\$(\d+)(::bool(ean)?)?\s*$")
BEGINS = re.compile(r"^\s*(BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE)
DEFINES = re.compile(r"\bCREATE\s+(OR\s+REPLACE\s+)?(FUNCTION|PROCEDURE)\b|^\s*DO\b", re.IGNORECASE)
SENDERS = {"execute", "fetch", "fetchrow", "fetchval", "executemany"}


@dataclass(frozen=True)
class _Bare:
    """A connection known to have no transaction: a function's parameter, and how it came there."""

    function: Function
    parameter: str
    trail: tuple[str, ...]
    callback: str | None = None


class LocalSettings:
    """Connections acquired in sight are judged, and what they are handed to; others may have a transaction."""

    def __init__(self, flows: Flows, entries: Entries) -> None:
        self.flows, self.project, self.entries = flows, flows.project, entries
        self.reported: set[ast.Call] = set()

    def findings(self) -> Iterator[Finding]:
        """Follow bare connections from where they are acquired, and from the pool's callbacks."""
        waiting: list[_Bare] = []
        for function, how in self.entries.callbacks.items():
            names = [argument.arg for argument in function.arguments() if argument.arg != function.receiver()]
            waiting += [_Bare(function, name, (f"{function.name} ({how})",), how) for name in names]
        for function in self.project.all_functions:
            flow = self.flows.of(function)
            if self._begins(flow, function):
                continue
            bare = {name for name in self._receivers(flow) if self._is_bare(name, function)}
            for step in flow.steps:
                if not step.standing.transaction and (step.acquires or _receiver(step) in bare):
                    yield from self._judge(step, function, (), None)
                if not step.standing.transaction:
                    waiting += self._handed_on(step, bare, (function.name,), None)
        yield from self._follow(waiting)

    def _follow(self, waiting: list[_Bare]) -> Iterator[Finding]:
        seen: set[tuple[Function, str]] = set()
        while waiting:
            bare = waiting.pop()
            if (bare.function, bare.parameter) in seen:
                continue
            seen.add((bare.function, bare.parameter))
            flow = self.flows.of(bare.function)
            if bare.callback is None and self._begins(flow, bare.function):
                continue
            for step in flow.steps:
                if bare.callback is None and step.standing.transaction:
                    continue
                if _receiver(step) == bare.parameter:
                    yield from self._judge(step, bare.function, bare.trail, bare.callback)
                waiting += self._handed_on(step, {bare.parameter}, bare.trail, bare.callback)

    def _judge(
        self, step: Step, function: Function, trail: tuple[str, ...], callback: str | None
    ) -> Iterator[Finding]:
        if step.node in self.reported or not self._is_local(step, function):
            return
        self.reported.add(step.node)
        where = f"in the pool callback {callback}" if callback else "outside a transaction"
        message = (
            f"a transaction-local setting {where} does nothing: use `tenant_scope(org_id)`, or put "
            "`async with connection.transaction()` around it"
        )
        yield finding_at("IL104", function, step.node, message, trail)

    def _is_local(self, step: Step, function: Function) -> bool:
        text = self._sent(step, function)
        if text is None or BEGINS.search(text) or DEFINES.search(text):
            return False
        return bool(SET_LOCAL.search(text)) or any(
            _is_true(third, step.node) for third in _third_arguments(text) if third is not None
        )

    def _sent(self, step: Step, function: Function) -> str | None:
        if identifier(step.node.func) not in SENDERS or not step.node.args:
            return None
        return text_of(self.project, step.node.args[0], function)

    def _handed_on(self, step: Step, bare: set[str], trail: tuple[str, ...], callback: str | None) -> Iterator[_Bare]:
        for edge in step.edges:
            for parameter, value in edge.target.passed(step.node):
                if isinstance(value, ast.Name) and value.id in bare:
                    yield _Bare(edge.target, parameter, (*trail, edge.target.name), callback)

    def _receivers(self, flow: Flow) -> set[str]:
        used = {name for step in flow.steps if (name := _receiver(step)) is not None}
        return used | {value.id for step in flow.steps for value in step.node.args if isinstance(value, ast.Name)}

    def _is_bare(self, name: str, function: Function) -> bool:
        values = function.bindings.get(name, [])
        if values:
            return all(self._is_bare_value(value, function) for value in values)
        if name in function.parameters:
            return any(self._yields_bare(dependency) for dependency in self._dependency(name, function))
        return False

    def _is_bare_value(self, value: ast.expr, function: Function, hops: int = 0) -> bool:
        if isinstance(value, ast.Await):
            value = value.value
        if not isinstance(value, ast.Call) or hops > 4:
            return False
        name = identifier(value.func)
        if name in {"enter_async_context", "enter_context", "wait_for"} and value.args:
            return self._is_bare_value(value.args[0], function, hops + 1)
        if name in {"acquire", "acquire_connection"}:
            return True
        if self.project.resolve(value.func, function) in {"asyncpg.connect", "asyncpg.connection.connect"}:
            return True
        targets = self.flows.callables.called_by(value.func, function)
        return bool(targets) and all(self._yields_bare(target) for target in targets)

    def _yields_bare(self, manager: Function) -> bool:
        """A context manager or dependency that gives out a connection it acquired, with no transaction begun."""
        flow = self.flows.of(manager)
        if not flow.yields or self._begins(flow, manager):
            return False
        return all(
            isinstance(node, ast.Yield)
            and isinstance(node.value, ast.Name)
            and not standing.transaction
            and all(self._is_bare_value(value, manager, 1) for value in manager.bindings.get(node.value.id, []))
            and node.value.id in manager.bindings
            for node, standing in flow.yields
        )

    def _dependency(self, parameter: str, function: Function) -> Iterator[Function]:
        for argument, default in function.with_defaults():
            if argument.arg == parameter and isinstance(default, ast.Call):
                yield from (target for target in dependencies_of(self.flows, function) if _names(default, target))
        annotation = function.annotation_of(parameter)
        if annotation is not None:
            yield from (target for target in dependencies_of(self.flows, function) if _names(annotation, target))

    def _begins(self, flow: Flow, function: Function) -> bool:
        """A transaction opened by hand: ``await tr.start()`` or a BEGIN."""
        for step in flow.steps:
            if identifier(step.node.func) == "start" and isinstance(step.node.func, ast.Attribute):
                return True
            text = self._sent(step, function)
            if text is not None and BEGINS.search(text):
                return True
        return False


def _receiver(step: Step) -> str | None:
    called = step.node.func
    return called.value.id if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) else None


def _names(place: ast.expr, function: Function) -> bool:
    short = function.name.rpartition(".")[2]
    return any(identifier(node) == short for node in walk(place) if isinstance(node, ast.Name | ast.Attribute))


def _third_arguments(text: str) -> Iterator[str | None]:
    """The third argument of each ``set_config(…)`` in a statement, with brackets and quotes in the others."""
    for match in SET_CONFIG.finditer(text):
        depth, quoted, arguments = 0, False, [""]
        for character in text[match.end() :]:
            if character == "'":
                quoted = not quoted
            if not quoted:
                depth += {"(": 1, ")": -1}.get(character, 0)
                if depth < 0:
                    break
                if character == "," and depth == 0:
                    arguments.append("")
                    continue
            arguments[-1] += character
        yield arguments[2] if len(arguments) > 2 else None


def _is_true(argument: str, call: ast.Call) -> bool:
    numbered = PARAMETER.match(argument)
    if numbered is None:
        return bool(TRUE.match(argument))
    position = int(numbered.group(1))
    value = call.args[position] if position < len(call.args) else None
    return isinstance(value, ast.Constant) and value.value is True
