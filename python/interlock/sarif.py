"""The OASIS Static Analysis Results Interchange Format (SARIF) 2.1.0, for code hosts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import interlock

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def document(
    tool: str, rules: Iterable[Mapping[str, Any]], results: Iterable[Mapping[str, Any]], gaps: Iterable[str]
) -> str:
    """Return the log of one run of a tool; ``gaps`` say what it could not check, and make the run unsuccessful."""
    notifications = [{"level": "warning", "message": {"text": gap}} for gap in gaps]
    run = {
        "tool": {"driver": {"name": tool, "version": interlock.__version__, "rules": list(rules)}},
        "columnKind": "unicodeCodePoints",
        "results": list(results),
        "invocations": [{"executionSuccessful": not notifications, "toolExecutionNotifications": notifications}],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)
