"""What was suppressed is told exactly once, by `check`, `tag` or `drain`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.gates import FireOnce, Gates, ManualClock, default_gates, fire_once, reset_fire_once, should_emit


@given(st.lists(st.tuples(st.sampled_from("abcdefghij"), st.integers(0, 5), st.sampled_from("acd")), max_size=120))
def test_emitted_and_suppressed_are_the_calls_whatever_is_evicted(steps: list[tuple[str, int, str]]) -> None:
    clock = ManualClock()
    gates = Gates(max_keys=4, clock=clock)
    gate = gates.window("e", 1, 10, event_budget=(3, 10))
    emitted = reported = 0
    for key, pause, action in steps:
        clock.advance(pause)
        if action == "a":
            emitted += gate.allow(key)
        elif action == "c":
            decision = gate.check(key)
            emitted += bool(decision)
            reported += decision.suppressed_before
        else:
            emitted += gate.allow(key)
            reported += sum(row.count for row in gates.drain())
        stats = gates.stats()
        assert stats.emitted == emitted
    reported += sum(row.count for row in gates.drain())
    assert emitted + reported == len(steps)
    assert gates.stats().suppressed == reported


def test_check_hands_the_count_over_once_and_allow_leaves_it() -> None:
    clock = ManualClock()
    gate = Gates(clock=clock).window("e", 2, 10)
    assert [gate.allow() for _ in range(5)] == [True, True, False, False, False]
    denied = gate.check()
    assert (bool(denied), denied.reason, denied.retry_after, denied.suppressed_before) == (False, "limit", 10.0, 0)
    clock.set(10)
    assert gate.allow()
    assert gate.suppressed() == 4
    told = gate.check()
    assert (bool(told), told.suppressed_before, told.first_suppressed_at, told.reason) == (True, 4, 0.0, "allowed")
    assert gate.suppressed() == 0


def test_tag_names_the_line_and_hands_the_count_over_once() -> None:
    gate = Gates().window("e", 0, 10)
    gate.allow("k")
    assert gate.tag("k")["suppressed_before"] == 1
    tag = gate.tag("k")
    assert {"gate_event": "e", "gate_subkey": "k", "suppressed_before": 0}.items() <= tag.items()


def test_drain_reports_each_count_once_with_its_times() -> None:
    clock = ManualClock(5)
    gates = Gates(clock=clock)
    gate, once = gates.window("flood", 1, 60), gates.fire_once("down")
    for _ in range(3):
        gate.allow("k")
        once.fire()
        clock.advance(1)
    rows = [(row.event, row.subkey, row.count, row.first, row.last) for row in gates.drain()]
    assert rows == [("down", None, 2, 6.0, 7.0), ("flood", "k", 2, 6.0, 7.0)]
    assert gates.drain() == []


def test_a_long_subkey_is_cut_in_reports_alone() -> None:
    gates = Gates()
    gate = gates.window("e", 0, 10)
    for tail in "xyy":
        gate.allow("ü" * 500 + tail)
    assert sorted(row.count for row in gates.drain()) == [1, 2]
    gate.allow("ü" * 500)
    (row,) = gates.drain()
    assert row.subkey is not None
    assert row.subkey == "ü" * 56 + "…"


def test_clear_forgets_keys_and_keeps_counts() -> None:
    gates = Gates()
    gate, once = gates.window("e", 1, 3600), gates.fire_once("o")
    for _ in range(3):
        gate.allow()
        once.fire()
    gates.clear()
    assert gate.allow()
    assert once.fire()
    assert sum(row.count for row in gates.drain()) == 4


def test_the_module_level_functions_use_the_default_table() -> None:
    key = "test_the_module_level_functions"
    assert [fire_once(key), fire_once(key), reset_fire_once(key), reset_fire_once(key)] == [True, False, True, False]
    assert [should_emit(key, 2, 60_000) for _ in range(3)] == [True, True, False]
    assert should_emit(key, 3, 60_000)
    rows = {(row.event, row.subkey): row.count for row in default_gates().drain()}
    assert rows[("fire_once", key)] == rows[("should_emit", key)] == 1


def test_gates_cannot_be_made_by_hand() -> None:
    with pytest.raises(TypeError):
        FireOnce()
