"""D17: a call in a policy that runs once per row instead of once per statement."""

from __future__ import annotations

import re
from collections.abc import Iterator

from interlock.tenancy.probe.findings import Finding, Severity
from interlock.tenancy.probe.policies import Policy, Table

_CALL = re.compile(r"\b(current_setting|interlock\.current_org)\s*\(")
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")


def per_row_calls(tables: list[Table]) -> Iterator[Finding]:
    """Calls outside a sub-select. A sealed scope verified for each row costs some sixty times as much."""
    for table in tables:
        for policy in table.policies:
            texts = [text for text in (policy.using, policy.check) if text]
            calls = [text[start:end] for text in texts for start, end in _outside_select(text)]
            called = sorted({call.partition("(")[0] for call in calls})
            if called:
                sealed = any("current_org" in name for name in called)
                yield Finding(
                    id="D17",
                    severity=Severity.ERROR if sealed else Severity.INFO,
                    object=table.name,
                    message=f"policy {policy.name} calls {', '.join(called)} for each row",
                    evidence="\n".join(texts),
                    fix=_once_per_statement(table, policy),
                )


def _once_per_statement(table: Table, policy: Policy) -> str:
    name = policy.name.replace('"', '""')
    using = f" USING ({_in_selects(policy.using)})" if policy.using else ""
    check = f" WITH CHECK ({_in_selects(policy.check)})" if policy.check else ""
    return f'ALTER POLICY "{name}" ON {table.name}{using}{check}'


def _in_selects(text: str) -> str:
    """Put each call into a sub-select of its own, which PostgreSQL evaluates once (an InitPlan)."""
    parts, done = [], 0
    for start, end in _outside_select(text):
        parts += [text[done:start], "( SELECT ", text[start:end], ")"]
        done = end
    return "".join([*parts, text[done:]])


def _outside_select(text: str) -> Iterator[tuple[int, int]]:
    """Match brackets: a regular expression cannot tell a call inside ``( SELECT …)`` from one beside it."""
    plain = _QUOTED.sub(lambda match: "_" * len(match.group()), text)
    calls = {match.end() - 1: match.start() for match in _CALL.finditer(plain)}
    selects: list[bool] = []  # of each open bracket, whether a sub-select is in it
    started: dict[int, int] = {}  # depth of an open call's bracket → where the call begins
    for position, character in enumerate(plain):
        if character == "(":
            if position in calls and not any(selects):
                started[len(selects)] = calls[position]
            selects.append(bool(re.match(r"\(\s*SELECT\b", plain[position:], re.IGNORECASE)))
        elif character == ")" and selects:
            selects.pop()
            if len(selects) in started:
                yield started.pop(len(selects)), position + 1
