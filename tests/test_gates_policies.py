"""The policies against what one would write with a dict."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from interlock.gates import Gates, ManualClock

KEYS = st.sampled_from(["a", "b", "", "ключ", "k\0x", "\ud800"])
STEPS = st.lists(st.tuples(KEYS, st.integers(0, 12)), max_size=60)
# Time that goes back, too.
LEAPS = st.lists(st.tuples(KEYS, st.integers(-8, 12)), max_size=60)


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


@given(LEAPS, st.integers(0, 3), st.integers(1, 10))
def test_window_agrees_with_a_dict(steps: list[tuple[str, int]], limit: int, window: int) -> None:
    clock, model = ManualClock(), WindowModel(limit, window)
    gate = Gates(clock=clock).window("e", limit, window, event_budget=None)
    now = 0
    for key, pause in steps:
        now = max(0, now + pause)
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


def test_fire_once_with_a_time_to_live() -> None:
    clock = ManualClock()
    gate = Gates(clock=clock).fire_once("e", ttl=10)
    assert [gate.fire(), gate.fire()] == [True, False]
    clock.set(9.999999999)
    assert not gate.fire()
    clock.set(10)
    assert gate.fire()


def test_gates_of_one_event_share_the_state_and_bring_their_own_limits() -> None:
    gates = Gates(clock=ManualClock())
    wide, narrow = gates.window("e", 5, 60), gates.window("e", 2, 60)
    assert [wide.allow("k") for _ in range(3)] == [True] * 3
    assert not narrow.allow("k")
    assert [wide.allow("k") for _ in range(3)] == [True, True, False]
