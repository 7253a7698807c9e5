"""Gates as a service uses them: limits, counts, budgets, tenants, bad input, forks, threads."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import GateError, GateLimitError
from interlock.gates import (
    EVICTED,
    FireOnce,
    Gates,
    ManualClock,
    default_gates,
    fire_once,
    reset_fire_once,
    should_emit,
)
from interlock.tenancy import pre_org_resolution_scope, tenant_scope

KEYS = st.sampled_from(["a", "b", "", "ключ", "k\0x", "\ud800"])
STEPS = st.lists(st.tuples(KEYS, st.integers(0, 12)), max_size=60)


class WindowModel:
    """The window policy as one would write it with a dict."""

    def __init__(self, limit: int, window: int) -> None:
        self.limit, self.window = limit, window
        self.state: dict[str, tuple[int, int]] = {}
        self.suppressed: dict[str, int] = {}

    def allow(self, key: str, now: int) -> bool:
        start, emitted = self.state.get(key, (now, 0))
        if now - start >= self.window:
            start, emitted = now, 0
        if emitted < self.limit:
            self.state[key] = (start, emitted + 1)
            return True
        self.suppressed[key] = self.suppressed.get(key, 0) + 1
        return False


class RateModel:
    """A token bucket in exact integers: tokens are counted in window nanoseconds."""

    def __init__(self, limit: int, window: int) -> None:
        self.interval, self.capacity = window // limit, limit
        self.state: dict[str, tuple[int, int]] = {}

    def allow(self, key: str, now: int) -> bool:
        level, at = self.state.get(key, (self.capacity * self.interval, now))
        level = min(self.capacity * self.interval, level + now - at)
        if level < self.interval:
            self.state[key] = (level, now)
            return False
        self.state[key] = (level - self.interval, now)
        return True


def fail(gate: FireOnce, key: str | None = None) -> bool:
    """Enter a transition whose body fails; whether it had fired."""
    try:
        with gate.transition(key) as fired:
            raise ConnectionError
    except ConnectionError:
        return fired


@given(STEPS, st.integers(0, 3), st.integers(1, 10))
def test_window_agrees_with_a_dict(steps: list[tuple[str, int]], limit: int, window: int) -> None:
    clock, model = ManualClock(), WindowModel(limit, window)
    gate = Gates(clock=clock).window("e", limit, window, event_budget=None)
    now = 0
    for key, pause in steps:
        now += pause
        clock.set(now)
        assert gate.allow(key) == model.allow(key, now)
    assert {key: gate.suppressed(key) for key in model.suppressed} == model.suppressed


@given(STEPS, st.integers(1, 4), st.integers(1, 10))
def test_rate_agrees_with_a_bucket_of_exact_tokens(steps: list[tuple[str, int]], limit: int, window: int) -> None:
    clock, model = ManualClock(), RateModel(limit, window * 10**9)
    gate = Gates(clock=clock).rate("e", limit, window, event_budget=None)
    now = 0
    for key, pause in steps:
        now += pause
        clock.set(now)
        assert gate.allow(key) == model.allow(key, now * 10**9)


@given(STEPS, st.integers(1, 5), st.integers(1, 10), st.data())
def test_a_rate_with_burst_never_passes_more_than_its_limit_in_any_window(
    steps: list[tuple[str, int]], window: int, limit: int, data: st.DataObject
) -> None:
    limit += 1
    burst = data.draw(st.integers(1, limit - 1))
    clock = ManualClock()
    gate = Gates(clock=clock).rate("e", limit, window, burst=burst, event_budget=None)
    emitted: list[float] = []
    for _, pause in steps:
        clock.advance(pause / 4)
        if gate.allow():
            emitted.append(clock.now)
    # T is rounded down to a nanosecond, so the window is open at its end.
    assert all(sum(start <= at < start + window for at in emitted) <= limit for start in emitted)


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


@given(st.lists(st.tuples(st.sampled_from(["fire", "reset", "fail"]), KEYS, st.integers(0, 3)), max_size=60))
def test_fire_once_agrees_with_a_dict(steps: list[tuple[str, str, int]]) -> None:
    clock = ManualClock()
    gate = Gates(clock=clock).fire_once("e")
    fired: dict[str, bool] = {}
    pauses: dict[str, tuple[float, int]] = {}
    for action, key, pause in steps:
        clock.advance(pause)
        until, failures = pauses.get(key, (0.0, 0))
        expected = not fired.get(key) and clock.now >= until
        if action == "fire":
            assert gate.fire(key) == expected
            fired[key] = fired.get(key, False) or expected
        elif action == "reset":
            assert gate.reset(key) == fired.pop(key, False)
            pauses.pop(key, None)
        else:
            assert fail(gate, key) == expected
            if expected:
                pauses[key] = (clock.now + min(2**failures, 60), failures + 1)


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


def test_fire_once_with_a_time_to_live() -> None:
    clock = ManualClock()
    gate = Gates(clock=clock).fire_once("e", ttl=10)
    assert [gate.fire(), gate.fire()] == [True, False]
    clock.set(9.999999999)
    assert not gate.fire()
    clock.set(10)
    assert gate.fire()


def test_a_failing_body_pauses_1_s_doubling_to_60_s_and_success_ends_the_doubling() -> None:
    clock = ManualClock()
    gate = Gates(clock=clock).fire_once("e")

    for pause in (1, 2, 4, 8, 16, 32, 60, 60):
        assert fail(gate)
        clock.advance(pause - 0.000000001)
        assert not gate.fire()
        clock.advance(0.000000001)
    with gate.transition() as fired:
        assert fired
    assert not gate.fire()
    gate.reset()
    assert fail(gate)
    clock.advance(1)
    assert gate.fire()


async def test_transitions_nest_and_survive_cancellation() -> None:
    clock = ManualClock()
    gate = Gates(clock=clock).fire_once("e")
    async with gate.transition() as outer:
        async with gate.transition() as inner:
            assert (outer, inner) == (True, False)
        assert not gate.fire()
    gate.reset()
    entered = asyncio.Event()

    async def body() -> None:
        async with gate.transition():
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(body())
    await entered.wait()
    assert not gate.fire()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not gate.fire()
    clock.advance(1)
    assert gate.fire()


def test_a_late_failure_does_not_undo_another_firing() -> None:
    gate = Gates(clock=ManualClock()).fire_once("e")
    late = gate.transition()
    assert late.__enter__()
    gate.reset()
    assert gate.fire()
    late.__exit__(OSError, OSError(), None)
    assert not gate.fire()
    assert gate.reset()


def test_a_transition_is_entered_once_at_a_time() -> None:
    transition = Gates().fire_once("e").transition()
    with transition, pytest.raises(GateError), transition:
        pass
    with transition as fired:
        assert not fired


def test_gates_of_one_event_share_the_state_and_bring_their_own_limits() -> None:
    gates = Gates(clock=ManualClock())
    wide, narrow = gates.window("e", 5, 60), gates.window("e", 2, 60)
    assert [wide.allow("k") for _ in range(3)] == [True] * 3
    assert not narrow.allow("k")
    assert [wide.allow("k") for _ in range(3)] == [True, True, False]


def test_per_tenant_one_tenants_unique_subkeys_never_mute_another() -> None:
    gates = Gates(clock=ManualClock())
    gate = gates.window("e", 2, 60, event_budget=(10, 60), per_tenant=True)
    with tenant_scope(1):
        assert sum(gate.allow(str(number)) for number in range(1000)) == 10
        assert not gate.allow("k")
    with tenant_scope(2):
        assert [gate.allow("k") for _ in range(3)] == [True, True, False]
    with tenant_scope("1"):  # the same org
        assert not gate.allow("other")
    assert [gate.allow("k") for _ in range(3)] == [True, True, False]
    with pre_org_resolution_scope("the unscoped key as well"):
        assert not gate.allow("k")
    assert {row.tenant for row in gates.drain() if row.subkey == "k"} == {"1", "2", "<unscoped>"}


def test_per_tenant_fire_once() -> None:
    gate = Gates().fire_once("e", per_tenant=True)
    with tenant_scope(1):
        assert [gate.fire(), gate.fire()] == [True, False]
    with tenant_scope(2):
        assert gate.fire()
    assert gate.fire()


def test_the_module_level_functions_use_the_default_table() -> None:
    key = "test_the_module_level_functions"
    assert [fire_once(key), fire_once(key), reset_fire_once(key), reset_fire_once(key)] == [True, False, True, False]
    assert [should_emit(key, 2, 60_000) for _ in range(3)] == [True, True, False]
    assert should_emit(key, 3, 60_000)
    rows = {(row.event, row.subkey): row.count for row in default_gates().drain()}
    assert rows[("fire_once", key)] == rows[("should_emit", key)] == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda gates: gates.window("e", -1, 60),
        lambda gates: gates.window("e", 1, 0),
        lambda gates: gates.window("e", 1, -1),
        lambda gates: gates.window("e", 1, float("nan")),
        lambda gates: gates.window("e", 1, float("inf")),
        lambda gates: gates.window("e", 1, 1e-12),
        lambda gates: gates.window("e", 1, 60, event_budget=-1),
        lambda gates: gates.window("e", 1, 60, event_budget=(1, 0)),
        lambda gates: gates.window("", 1, 60),
        lambda gates: gates.window("x" * 113, 1, 60),
        lambda gates: gates.rate("e", 3, 60, burst=0),
        lambda gates: gates.rate("e", 3, 60, burst=3),
        lambda gates: gates.rate("e", 3, 60, burst=-1),
        lambda gates: gates.fire_once("e", ttl=0),
        lambda gates: Gates(max_keys=0),
        lambda gates: Gates(max_keys=-5),
        lambda gates: Gates(max_keys=1 << 40),
        lambda gates: should_emit("k", -1, 1000),
        lambda gates: should_emit("k", 1, 0),
        lambda gates: [gates.window(f"event-{number}", 1, 60) for number in range(2000)],
    ],
)
def test_a_limit_that_means_nothing_is_a_value_error(make: Callable[[Gates], Any]) -> None:
    with pytest.raises(GateLimitError) as caught:
        make(Gates())
    assert isinstance(caught.value, ValueError)
    assert caught.value.field


@pytest.mark.parametrize("key", [1, b"k", ("a",), object()])
def test_a_key_that_is_no_string_is_a_type_error(key: Any) -> None:
    gates = Gates()
    for call in (gates.window("e", 1, 1).allow, gates.fire_once("e").fire, fire_once, reset_fire_once):
        with pytest.raises(TypeError):
            call(key)
    with pytest.raises(TypeError):
        should_emit(key, 1, 1)


def test_limits_of_any_size() -> None:
    gates = Gates(clock=ManualClock())
    muted = gates.rate("muted", 0, 60).check()
    assert (bool(muted), muted.reason, muted.retry_after) == (False, "muted", None)
    assert gates.window("huge", 10**30, 1e18, event_budget=None).allow()
    assert gates.rate("huge", 10**30, 1, event_budget=None).allow()


def test_a_clock_that_goes_back_or_leaps() -> None:
    now = [100 * 10**9]
    gate = Gates(clock=lambda: now[0]).window("e", 1, 10)
    assert gate.allow()
    for moment in (0, -5, 109_999_999_999):
        now[0] = moment
        assert not gate.allow()
    now[0] = 10**30
    assert gate.allow()
    assert not gate.allow()


def test_a_clock_that_is_none_or_fails() -> None:
    with pytest.raises(TypeError):
        Gates(clock=3)
    with pytest.raises(TypeError):
        Gates(clock=lambda: 1.5).window("e", 1, 1).allow()

    def broken() -> int:
        raise OSError("no time")

    with pytest.raises(OSError, match="no time"):
        Gates(clock=broken).window("e", 1, 1).allow()


def test_a_forked_child_keeps_the_decisions_and_reports_none_of_its_parents_counts() -> None:
    gates = Gates()
    gate, once = gates.window("e", 1, 3600), gates.fire_once("o")
    for _ in range(3):
        gate.allow()
        once.fire()
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        report = [len(gates.drain()), gate.allow(), once.fire(), gates.stats().suppressed, gates.stats().emitted]
        os.write(writable, repr(report).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(readable, 1000) == b"[0, False, False, 2, 0]"
    os.close(readable)
    os.close(writable)
    assert sum(row.count for row in gates.drain()) == 4


@pytest.mark.parametrize("key", [None, "k"])
def test_threads_get_exactly_the_limit_at_a_frozen_clock(key: str | None) -> None:
    gates = Gates(clock=ManualClock())
    window, rate, once = gates.window("w", 5, 60), gates.rate("r", 7, 60), gates.fire_once("o")
    start = threading.Barrier(8)

    def hammer() -> tuple[int, int, int]:
        start.wait()
        calls = range(5000)
        return (
            sum(window.allow(key) for _ in calls),
            sum(rate.allow(key) for _ in calls),
            sum(once.fire(key) for _ in calls),
        )

    with ThreadPoolExecutor(8) as pool:
        results = [future.result() for future in [pool.submit(hammer) for _ in range(8)]]
    assert [sum(column) for column in zip(*results, strict=True)] == [5, 7, 1]
    assert gates.stats().suppressed == 3 * 40_000 - 13


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


def test_gates_cannot_be_made_by_hand() -> None:
    with pytest.raises(TypeError):
        FireOnce()
