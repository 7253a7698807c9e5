"""What the doctor returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """How bad: an error lets a tenant out, a warning may, an info is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


@dataclass(frozen=True)
class Finding:
    """One fault of the database.

    Attributes:
        id: of the check, ``D01`` to ``D31``.
        severity: see :class:`Severity`.
        object: what is at fault, as PostgreSQL writes its name.
        message: what is wrong.
        evidence: what shows it; for the probe the session's state and the row that leaks.
        fix: SQL that mends it, or "" where only a person can decide.

    """

    id: str
    severity: Severity
    object: str
    message: str
    evidence: str = ""
    fix: str = ""

    @property
    def order(self) -> tuple[int, str, str, str]:
        """Worst first, then by check and object."""
        return (self.severity.rank, self.id, self.object, self.evidence)


@dataclass(frozen=True, order=True)
class Unchecked:
    """A check that could not be made, and why."""

    id: str
    reason: str


@dataclass
class Report:
    """The findings, worst first, and what could not be checked."""

    role: str
    database: str = ""
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)
    checked: int = 0

    def worst(self) -> Severity | None:
        """The severity of the worst finding."""
        return min((finding.severity for finding in self.findings), key=lambda s: s.rank, default=None)

    def ok(self, *, strict: bool = False) -> bool:
        """No errors; ``strict``: no warnings either, and nothing left unchecked."""
        worst = self.worst()
        if strict:
            return worst in (None, Severity.INFO) and not self.unchecked
        return worst is not Severity.ERROR
