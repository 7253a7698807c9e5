"""What a run can say: isolation held, it leaked, or the run proved nothing (vacuous)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from interlock.testing.exchange import Exchange

SHOWN = 40


class Verdict(StrEnum):
    """The verdict on one endpoint or on a run."""

    HELD = "held"
    LEAK = "leak"
    VACUOUS = "vacuous"


@dataclass(frozen=True)
class Leak:
    """One finding: which oracle, where it surfaced, what was planted, and the shortest transcript.

    ``surface`` is the place in the response (``"body"``, ``"header etag"``) or in the database
    (``"table notes"``); ``evidence`` is what was seen there, with up to 40 characters on either side.
    """

    oracle: str
    title: str
    endpoint: str
    surface: str
    message: str
    planted: str = ""
    evidence: str = ""
    transcript: tuple[str, ...] = ()
    reproduce: str = ""

    def __str__(self) -> str:
        lines = [f"LEAK {self.oracle} {self.title}: {self.endpoint}", f"  {self.message}"]
        if self.planted:
            lines.append(f"  planted:  {self.planted}")
        lines.append(f"  surfaced: {self.surface}" + (f": {self.evidence}" if self.evidence else ""))
        lines += [f"  | {line}" for line in self.transcript]
        if self.reproduce:
            lines.append(f"  replay:   {self.reproduce}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {
            "oracle": self.oracle,
            "title": self.title,
            "endpoint": self.endpoint,
            "surface": self.surface,
            "message": self.message,
            "planted": self.planted,
            "evidence": self.evidence,
            "transcript": list(self.transcript),
            "reproduce": self.reproduce,
        }


@dataclass(frozen=True)
class Vacuous:
    """Something the run proved nothing about, why, and what to do about it."""

    subject: str
    reason: str
    advice: str

    def __str__(self) -> str:
        return f"VACUOUS {self.subject}: {self.reason}; {self.advice}"

    def to_json(self) -> dict[str, str]:
        """The finding as JSON values."""
        return {"subject": self.subject, "reason": self.reason, "advice": self.advice}


@dataclass(frozen=True)
class Shared:
    """Declares that an endpoint shows every org the same data on purpose.

    Args:
        reason: why, for whoever reads the report.
        until: the day after which the declaration no longer counts.

    """

    reason: str
    until: date | None = None

    @property
    def expired(self) -> bool:
        """Whether the declaration has run out."""
        return self.until is not None and date.today() > self.until


@dataclass
class Coverage:
    """What the run drove: per endpoint the responses and successes, per oracle and endpoint the checks made."""

    requests: int = 0
    examples: int = 0
    sent: dict[str, int] = field(default_factory=dict)
    succeeded: dict[str, int] = field(default_factory=dict)
    checks: dict[tuple[str, str], int] = field(default_factory=dict)
    own_canary_seen: dict[str, set[str]] = field(default_factory=dict)
    last_failure: dict[str, str] = field(default_factory=dict)

    def count(self, oracle: str, endpoint: str, times: int = 1) -> None:
        """Record that an oracle judged an endpoint."""
        self.checks[oracle, endpoint] = self.checks.get((oracle, endpoint), 0) + times

    def record(self, exchange: Exchange, *, own: bool) -> None:
        """Record a response; ``own`` if the org was entitled to it, so that a success counts."""
        self.requests += 1
        name = exchange.endpoint
        self.sent[name] = self.sent.get(name, 0) + 1
        if exchange.response.ok and own:
            self.succeeded[name] = self.succeeded.get(name, 0) + 1
        elif not exchange.response.ok and own:
            body = exchange.response.body[:300].decode(errors="replace")
            self.last_failure[name] = f"{exchange.response.status} {exchange.response.error or body}".strip()

    def to_json(self, endpoints: Sequence[str], oracles: Sequence[str]) -> dict[str, Any]:
        """The matrix endpoint × oracle with counts."""
        return {
            "requests": self.requests,
            "examples": self.examples,
            "endpoints": {
                name: {
                    "sent": self.sent.get(name, 0),
                    "succeeded": self.succeeded.get(name, 0),
                    "own_canaries_seen_from": sorted(self.own_canary_seen.get(name, ())),
                    "checks": {
                        oracle: self.checks[oracle, name] for oracle in oracles if (oracle, name) in self.checks
                    },
                }
                for name in endpoints
            },
        }


def excerpt(text: bytes, start: int, length: int) -> str:
    """The found bytes with their surroundings, printable."""
    low, high = max(0, start - SHOWN), start + length + SHOWN
    shown = text[low:high].decode("utf-8", "replace")
    return (
        ("…" if low else "")
        + "".join(c if c.isprintable() else "·" for c in shown)
        + ("…" if high < len(text) else "")
    )


def transcript(exchanges: Sequence[Exchange], names: Mapping[int | None, str]) -> tuple[str, ...]:
    """The exchanges as lines to read: who sent what, and what came back."""
    lines = []
    for exchange in exchanges:
        request, response = exchange.request, exchange.response
        who = names.get(exchange.org, "nobody")
        lines.append(
            f"{who}: {request.method} {request.target}" + (f"   # {exchange.purpose}" if exchange.purpose else "")
        )
        shown = [f"{key}: {value}" for key, value in request.headers if key.lower() not in ("authorization", "cookie")]
        if shown and any(not line.startswith("content-type") for line in shown):
            lines.append("   " + "; ".join(shown))
        if request.body:
            lines.append("   " + _short(request.body))
        lines.append(f"   → {response.status} {_short(response.content)}".rstrip())
    return tuple(lines)


def _short(body: bytes) -> str:
    text = body[:400].decode("utf-8", "replace").replace("\n", " ")
    return text + (" …" if len(body) > 400 else "")
