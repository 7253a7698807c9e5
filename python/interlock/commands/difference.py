"""Why two payloads are the same, or where they first differ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from interlock._native import shell_is_read

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
    kept = [name for name, report in (("first", left), ("second", right)) if kind == "shell" and is_kept(report)]
    if not kept:
        return where
    subject = f"the {kept[0]} is" if len(kept) == 1 else "both are"
    return f"{where}; {subject} not read as shell, so every byte counts"


def is_kept(report: dict[str, Any]) -> bool:
    """Whether a command is its own canonical form because it was not read."""
    return not shell_is_read(report["payload"])


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
