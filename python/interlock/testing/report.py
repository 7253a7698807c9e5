"""The report of a run: readable text, JSON, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from interlock.testing.verdicts import Coverage, Leak, Vacuous, Verdict


@dataclass
class Report:
    """What a run found. ``ok`` only if nothing leaked and nothing undeclared was vacuous.

    Attributes:
        leaks: the findings.
        vacuous: what the run proved nothing about.
        coverage: requests, examples, and checks per endpoint and oracle.
        notes: what else to know: oracles that were not run, declarations used or stale.
        seed: give it to :meth:`IsolationHarness.run` to run the same again.

    """

    seed: int
    endpoints: Sequence[str]
    oracles: Mapping[str, str]
    coverage: Coverage
    leaks: list[Leak] = field(default_factory=list)
    vacuous: list[Vacuous] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether isolation held and the run proves it."""
        return self.verdict is Verdict.HELD

    @property
    def verdict(self) -> Verdict:
        """A leak outweighs a vacuous part, which outweighs what held."""
        if self.leaks:
            return Verdict.LEAK
        return Verdict.VACUOUS if self.vacuous else Verdict.HELD

    def verdict_of(self, endpoint: str) -> Verdict:
        """The verdict on one endpoint."""
        if any(leak.endpoint == endpoint for leak in self.leaks):
            return Verdict.LEAK
        if any(one.subject == endpoint for one in self.vacuous) or not self.coverage.succeeded.get(endpoint):
            return Verdict.VACUOUS
        return Verdict.HELD

    def __str__(self) -> str:
        parts = [self._summary(), self._table()]
        parts += [str(leak) for leak in self.leaks]
        parts += [str(one) for one in self.vacuous]
        parts += [f"note: {note}" for note in self.notes]
        return "\n".join(parts)

    def _summary(self) -> str:
        covered = self.coverage
        return (
            f"isolation: {self.verdict.upper()}: {len(self.leaks)} leaks, {len(self.vacuous)} vacuous; "
            f"{len(self.endpoints)} endpoints, {covered.examples} examples, {covered.requests} requests "
            f"in {self.seconds:.1f} s, seed {self.seed}"
        )

    def _table(self) -> str:
        width = max([len(name) for name in self.endpoints], default=8)
        codes = list(self.oracles)
        head = f"{'endpoint':<{width}}  verdict  2xx/sent   " + " ".join(f"{code:>5}" for code in codes)
        lines = [head, "-" * len(head)]
        for name in self.endpoints:
            share = f"{self.coverage.succeeded.get(name, 0)}/{self.coverage.sent.get(name, 0)}"
            counts = " ".join(f"{self.coverage.checks.get((code, name), '·'):>5}" for code in codes)
            lines.append(f"{name:<{width}}  {self.verdict_of(name):<7}  {share:>9}  {counts}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "verdict": str(self.verdict),
            "ok": self.ok,
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
            "oracles": dict(self.oracles),
            "leaks": [leak.to_json() for leak in self.leaks],
            "vacuous": [one.to_json() for one in self.vacuous],
            "notes": list(self.notes),
            "coverage": self.coverage.to_json(self.endpoints, list(self.oracles)),
            "verdicts": {name: str(self.verdict_of(name)) for name in self.endpoints},
        }
