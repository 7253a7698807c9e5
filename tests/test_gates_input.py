"""Bad input and bad clocks: what they do is defined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from interlock.errors import GateLimitError
from interlock.gates import Gates, ManualClock, fire_once, reset_fire_once, should_emit


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
