"""``# interlock: ok <reason>``: findings that somebody has judged."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass, field

from interlock.sweep.syntax import walk

COMMENT = re.compile(r"#\s*interlock:\s*ok\b[\s:,-]*(?P<reason>.*)$")


@dataclass(frozen=True)
class Suppressions:
    """The reasons by line, and the lines of each statement that spans several."""

    reasons: dict[int, str] = field(default_factory=dict)
    statements: tuple[tuple[int, int], ...] = ()

    def covers(self, line: int) -> bool:
        """Whether a reason stands on the line, above it, or on or above the head of the statement that holds it."""
        if not self.reasons:
            return False
        spans = [span for span in self.statements if span[0] <= line <= span[1]]
        first, final = max(spans, default=(line, line))
        return any(self.reasons.get(place) for place in (line, *range(first - 1, final + 1)))


def suppressions_of(raw: bytes, tree: ast.Module) -> Suppressions:
    """Read the comments of a file: the same words in a string suppress nothing."""
    if b"interlock:" not in raw:
        return Suppressions()
    reasons = {}
    for token in tokenize.tokenize(io.BytesIO(raw).readline):
        match = COMMENT.search(token.string) if token.type == tokenize.COMMENT else None
        if match:
            reasons[token.start[0]] = match.group("reason").strip()
    return Suppressions(reasons, tuple(_spans(tree)))


def _spans(tree: ast.Module) -> list[tuple[int, int]]:
    """First and last line of each simple statement, and of the head of each compound one with its decorators."""
    found = []
    for node in walk(tree):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            decorators = getattr(node, "decorator_list", [])
            first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
            final = node.end_lineno or node.lineno
            if isinstance(body, list) and body:
                final = max(first, min(child.lineno for child in body) - 1)
            found.append((first, final))
    return found
