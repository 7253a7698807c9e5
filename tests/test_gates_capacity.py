"""Memory and output stay bounded, whoever chooses the keys."""

from __future__ import annotations

import pytest

from interlock.gates import EVICTED, Gates, ManualClock


def test_unique_subkeys_cannot_exceed_the_budget_nor_touch_another_event() -> None:
    gates = Gates(clock=ManualClock())
    attacked, other = gates.window("attacked", 5, 60), gates.window("other", 5, 60)
    assert sum(attacked.allow(str(number)) for number in range(5000)) == 600
    assert [other.allow() for _ in range(6)] == [True] * 5 + [False]
    unlimited = gates.window("unlimited", 5, 60, event_budget=None)
    assert sum(unlimited.allow(str(number)) for number in range(5000)) == 5000


@pytest.mark.parametrize(
    ("limit", "window", "budget"), [(5, 60, 600), (1, 1, 600), (700, 60, 700), (20, 1, 20), (601, 3600, 600)]
)
def test_the_default_budget_is_the_larger_of_600_a_minute_and_the_gates_own_rate(
    limit: int, window: int, budget: int
) -> None:
    gate = Gates(max_keys=16_384, clock=ManualClock()).window("e", limit, window)
    assert sum(gate.allow(str(number)) for number in range(1000)) == budget


def test_a_muted_hot_key_stays_muted_under_a_flood_of_unique_keys_also_after_a_drain() -> None:
    gates = Gates(max_keys=64, clock=ManualClock())
    gate = gates.window("e", 1, 60, event_budget=None)
    assert gate.allow("hot")
    for number in range(20_000):
        if number % 1000 == 0:
            gates.drain()
            assert not gate.allow("hot")
        gate.allow(f"unique-{number}")
    assert not gate.allow("hot")
    stats = gates.stats()
    assert stats.keys <= stats.capacity == 64
    assert stats.live_evicted > 15_000


def test_a_set_full_of_suppressing_keys_leaves_the_newcomer_to_the_budget() -> None:
    gates = Gates(max_keys=2, clock=ManualClock())
    gate = gates.window("e", 1, 60, event_budget=(3, 60))
    for key in ("a", "a", "b", "b"):
        gate.allow(key)
    assert [gate.allow("c"), gate.allow("c")] == [True, False]
    assert gates.stats().untracked == 2
    assert not gate.allow("a")
    assert not gate.allow("b")
    assert (EVICTED, 1) in [(row.subkey, row.count) for row in gates.drain()]


def test_fire_once_at_capacity_fires_again_rather_than_stay_silent() -> None:
    gate = Gates(max_keys=2).fire_once("e")
    assert [gate.fire(key) for key in "aabb"] == [True, False, True, False]
    assert [gate.fire("c"), gate.fire("c")] == [True, True]
    assert not gate.fire("a")
    gate.reset("a")
    assert [gate.fire("c"), gate.fire("c")] == [True, False]


def test_fire_once_is_exact_up_to_its_capacity() -> None:
    gate = Gates(max_keys=3000).fire_once("e")
    keys = [f"key-{number}" for number in range(3000)]
    assert all(gate.fire(key) for key in keys)
    assert not any(gate.fire(key) for key in keys)
