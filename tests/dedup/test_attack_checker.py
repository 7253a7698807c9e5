"""The checker of the attack on histories made by hand: it is silent about a true one, and names each lie."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "attack"))

from checker import violations

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def row(name: str, state: str, begun: int, ended: int | None, **more: Any) -> dict[str, Any]:
    """A row of the content ``k`` in org ``a``; times are minutes after noon."""
    times = {
        "first_seen_at": NOON + timedelta(minutes=begun),
        "ended_at": NOON + timedelta(minutes=ended) if ended else None,
        "approved_at": NOON,
    }
    counts = {"attempt": 1, "version": 4, "audited": 3, "payloads": 1, "targets": 0 if ended else 1, "seen_count": 2}
    return {"row": name, "org_id": "a", "key": "k", "state": state, **times, **counts, **more}


def told(name: str, reason: str) -> list[dict[str, Any]]:
    return [
        {"op": "ask", "org": "a", "key": "k", "commits": True},
        {"op": "decided", "org": "a", "key": "k", "id": name, "reason": reason},
    ]


def done(name: str, attempt: int = 1, *, late: bool = False) -> list[dict[str, Any]]:
    return [
        {"op": "execute", "id": name, "attempt": attempt},
        {"op": "completed", "id": name, "attempt": attempt, "late": late},
    ]


def history() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Two rows of one content, one after the other; the second is executing."""
    events = [*told("r1", "new"), *told("r1", "in_flight"), *done("r1"), *told("r2", "new"), *told("r2", "in_flight")]
    return events, [row("r1", "completed", 0, 5), row("r2", "executing", 6, None, version=3, audited=2)]


def test_a_true_history_is_passed():
    assert violations(*history()) == []


LIES = {
    "rows in flight": lambda events, rows: rows[0].update(state="pending", ended_at=None, targets=1),
    "began while": lambda events, rows: rows[1].update(first_seen_at=NOON),
    "not a row of this org": lambda events, rows: events[3].update(id="r9"),
    "was new 2 times": lambda events, rows: events[3].update(reason="new"),
    "told 4 times, seen 3": lambda events, rows: rows[0].update(seen_count=1),
    "seen 5, asked 4": lambda events, rows: rows[0].update(seen_count=3),
    "was executed 2 times": lambda events, rows: events.append(events[4]),
    "too late was believed": lambda events, rows: events[5].update(late=True),
    "told completed, and is failed": lambda events, rows: rows[0].update(state="failed"),
    "attempt 2": lambda events, rows: rows[0].update(attempt=2),
    "was completed 2 times": lambda events, rows: events.append(events[5]),
    "without an approval": lambda events, rows: rows[0].update(approved_at=None),
    "audit rows": lambda events, rows: rows[1].update(audited=1),
    "payloads": lambda events, rows: rows[1].update(payloads=0),
    "targets": lambda events, rows: rows[0].update(targets=1),
}


@pytest.mark.parametrize("lie", LIES)
def test_each_lie_is_named(lie):
    events, rows = history()
    LIES[lie](events, rows)
    assert any(lie in violation for violation in violations(events, rows))
