"""D17: a call in a policy that runs once per row instead of once per statement."""

from __future__ import annotations

import re
from collections.abc import Iterator

from interlock.tenancy.probe.findings import Finding, Severity
from interlock.tenancy.probe.policies import Table

_CALL = re.compile(r"\b(current_setting|(?:interlock\.)?current_org)\s*\(")
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")


def per_row_calls(tables: list[Table]) -> Iterator[Finding]:
    """Calls outside a sub-select. A sealed scope verified for each row costs some sixty times as much."""
    for table in tables:
        for policy in table.policies:
            called = {name for text in (policy.using, policy.check) if text for name in _outside_select(text)}
            if called:
                sealed = any("current_org" in name for name in called)
                yield Finding(
                    id="D17",
                    severity=Severity.ERROR if sealed else Severity.INFO,
                    object=table.name,
                    message=f"policy {policy.name} calls {', '.join(sorted(called))} for each row",
                    evidence=policy.using or policy.check or "",
                    fix="",
                )


def _outside_select(text: str) -> Iterator[str]:
    """Match brackets: a regular expression cannot tell a call inside ``( SELECT …)`` from one beside it."""
    plain = _QUOTED.sub(lambda match: "_" * len(match.group()), text)
    calls = {match.start(): match.group(1) for match in _CALL.finditer(plain)}
    inside: list[bool] = []
    for position, character in enumerate(plain):
        if position in calls and not any(inside):
            yield calls[position]
        if character == "(":
            inside.append(bool(re.match(r"\(\s*SELECT\b", plain[position:], re.IGNORECASE)))
        elif character == ")" and inside:
            inside.pop()
