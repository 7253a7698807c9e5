"""Why two payloads are the same, or where they first differ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

# A word with its quotes, an operator, or, in a text that was kept as it is, one blank.
SHELL_TOKEN = re.compile(r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\;&|<>])+|[;&|<>]+|.""", re.DOTALL)
JSON_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[^\s"{}\[\]:,]+|.', re.DOTALL)


def difference(kind: str, left: dict[str, Any], right: dict[str, Any]) -> str:
    """Say in one sentence why two reports of ``interlock hash`` have one digest, or have not."""
    forms = left["canonical"], right["canonical"]
    if forms[0] == forms[1]:
        if left["payload"] == right["payload"]:
            return "the payloads are the same text"
        return f"both have the canonical form {forms[0]!r}"
    where = first_difference(kind, *forms)
    kept = [
        f"the {name} is kept as it is written, because {report['kept']}"
        for name, report in (("first", left), ("second", right))
        if report.get("kept")
    ]
    return "; ".join([where, *kept, *(["so every byte of it counts"] if kept else [])])


def first_difference(kind: str, left: str, right: str) -> str:
    """Name the first word or token in which two canonical forms differ."""
    for number, (one, other) in enumerate(zip_longest(tokens(kind, left), tokens(kind, right)), start=1):
        if one != other:
            return f"token {number} is {spelled(one)} in the first and {spelled(other)} in the second"
    return "they differ in blanks alone"


def tokens(kind: str, form: str) -> Iterator[str]:
    """Split a canonical form for comparison."""
    pattern = SHELL_TOKEN if kind == "shell" else JSON_TOKEN
    return (match[0] for match in pattern.finditer(form) if match[0] != " ")


def spelled(token: str | None) -> str:
    """Quote a token, or say that there is none."""
    return "missing" if token is None else repr(token)
