"""Replays the published timelines, each step with its exact answer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from interlock.gates import DEFAULT, FireOnce, Gate, Gates, ManualClock

SHARED = Path(os.environ.get("INTERLOCK_SHARED", Path(__file__).resolve().parents[2] / "shared"))
FILE = SHARED / "cases" / "gates.jsonl"
CASES = [json.loads(line) for line in FILE.read_text().splitlines()] if FILE.exists() else []

ELSEWHERE = {
    "cluster": "replayed against PostgreSQL in test_gates_cluster.py",
}


class Replay:
    """One case against a table of its own, at the times the case gives."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.params = case["params"]
        self.clock = ManualClock()
        self.gates = Gates(
            max_keys=self.params.get("capacity", 16_384),
            clock=self.clock,
            max_count=self.params.get("test_counter_max", 2**44 - 1),
        )
        self.once: FireOnce = self.gates.fire_once("case", ttl=self.params.get("ttl"))

    def gate(self, step: dict[str, Any]) -> Gate:
        params = self.params
        limit = step.get("max", params.get("max_per_window"))
        window = step.get("window", params.get("window"))
        budget = (params["event_budget"], params["window"]) if "event_budget" in params else DEFAULT
        if params["policy"] == "gcra":
            return self.gates.rate("case", limit, window, burst=params.get("burst"), event_budget=budget)
        return self.gates.window("case", limit, window, event_budget=budget)

    def step(self, step: dict[str, Any]) -> None:
        self.clock.set(step["t"])
        answer = getattr(self, step["op"])(step)
        if "expect" in step:
            assert answer == step["expect"], step

    def fire_once(self, step: dict[str, Any]) -> bool:
        return self.once.fire(step["key"])

    def reset(self, step: dict[str, Any]) -> bool:
        return self.once.reset(step["key"])

    def transition(self, step: dict[str, Any]) -> bool:
        try:
            with self.once.transition(step["key"]) as fired:
                if step["body"] == "raises":
                    raise ConnectionError
        except ConnectionError:
            pass
        return fired

    def should_emit(self, step: dict[str, Any]) -> bool:
        if step.get("level", 0) >= self.params.get("bypass_level", 1000):
            return True  # the filter's part; see test_gates_logging.py
        decision = self.gate(step).check(step["key"])
        if "suppressed_before" in step:
            assert decision.suppressed_before == step["suppressed_before"], step
            assert decision.saturated == step.get("saturated", False), step
        return bool(decision)

    def suppressed(self, step: dict[str, Any]) -> int:
        return self.gate(step).suppressed(step["key"])

    def stats(self, step: dict[str, Any]) -> dict[str, int]:
        stats = self.gates.stats()
        return {name: getattr(stats, name) for name in step["expect"]}


def reason_elsewhere(case: dict[str, Any]) -> str | None:
    return next((why for mark, why in ELSEWHERE.items() if mark in (case["gate"], *case["params"])), None)


@pytest.mark.skipif(not CASES, reason=f"{FILE} is not here; set INTERLOCK_SHARED")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_timeline(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    if (why := reason_elsewhere(case)) is not None:
        pytest.skip(why)
    replay = Replay(case)
    for step in case["timeline"]:
        replay.step(step)
