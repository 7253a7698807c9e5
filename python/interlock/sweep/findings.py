"""What a sweep returns."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interlock.sweep.symbols import Where


@dataclass(frozen=True, order=True)
class Finding:
    """One place that breaks a rule.

    Attributes:
        path: the file, relative to the folder the sweep ran in, with ``/``.
        line, column: where, from 1, in characters.
        rule: the rule's id, such as ``IL102``.
        message: what is wrong there and what would mend it.
        trail: how unscoped code gets there, outermost first; for a fault of one place the function it is in.
        places: (path, line) of each function of the trail.
        subject: the function or name concerned; with the rule and path it identifies the finding in a baseline,
            so that a finding keeps its identity when lines move.

    """

    path: str
    line: int
    column: int
    rule: str
    message: str
    trail: tuple[str, ...] = ()
    subject: str = ""
    places: tuple[tuple[str, int], ...] = field(default=(), compare=False)

    @property
    def fingerprint(self) -> str:
        """A digest that survives moved lines and other ways to the place: of the rule, path, subject and message."""
        text = "\0".join((self.rule, self.path, self.subject, self.message))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def finding_at(rule: str, where: Where, node: ast.AST, message: str, trail: tuple[str, ...] = ()) -> Finding:
    """Return a finding at a node of a function or module."""
    return Finding(
        path=where.module.source.path,
        line=getattr(node, "lineno", 1),
        column=where.module.source.column(getattr(node, "lineno", 1), getattr(node, "col_offset", 0)),
        rule=rule,
        message=message,
        trail=trail or (where.name,),
        subject=where.name,
    )


@dataclass(frozen=True, order=True)
class Unchecked:
    """A file that could not be checked, and why."""

    path: str
    reason: str


@dataclass
class Report:
    """The findings, what was suppressed, and what could not be checked."""

    findings: list[Finding] = field(default_factory=list)
    suppressed: list[Finding] = field(default_factory=list)
    baselined: list[Finding] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)
    files: int = 0
    tests: int = 0

    def ok(self, *, strict: bool = False) -> bool:
        """Whether a merge may pass; ``strict`` also asks that every file was checked."""
        return not self.findings and not (strict and self.unchecked)
