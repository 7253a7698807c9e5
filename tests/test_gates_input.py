"""Bad input and bad clocks: what they do is defined."""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interlock.errors import GateLimitError
from interlock.gates import Gates, ManualClock, SharedGates, fire_once, reset_fire_once, should_emit


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
        lambda gates: Gates(max_keys=10**30),
        lambda gates: Gates(max_keys=-(10**30)),
        lambda gates: gates.window("e", -(10**30), 60),
        lambda gates: gates.window("e", 1, 60, event_budget=(1, float("nan"))),
        lambda gates: gates.window("e", 1, 60, event_budget=-(10**30)),
        lambda gates: gates.rate("e", 3, float("-inf")),
        lambda gates: gates.rate("e", 3, 60, burst=10**30),
        lambda gates: gates.fire_once("e", ttl=float("nan")),
        lambda gates: should_emit("k", -1, 1000),
        lambda gates: should_emit("k", 1, 0),
        lambda gates: should_emit("k", 1, float("nan")),
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


@pytest.mark.parametrize(
    "make",
    [
        lambda gates: gates.window("e", 1.5, 60),
        lambda gates: gates.window("e", 1, "60"),
        lambda gates: gates.window(b"e", 1, 60),
        lambda gates: gates.window("e", 1, 60, event_budget=(1, 2, 3)),
        lambda gates: gates.window("e", 1, 60, event_budget=1.5),
        lambda gates: Gates(max_keys="many"),
        lambda gates: gates.rate("e", 3, 60, burst=1.5),
    ],
)
def test_an_argument_of_another_type_is_a_type_error(make: Callable[[Gates], Any]) -> None:
    with pytest.raises(TypeError):
        make(Gates())


def test_a_window_that_no_float_holds_is_an_overflow_error() -> None:
    with pytest.raises(OverflowError):
        Gates().window("e", 1, 10**400)
    with pytest.raises(OverflowError):
        should_emit("k", 1, 10**400)


class Loud(str):
    """A string that is equal to nothing, and hashes as it likes."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        return False


class Colour(enum.StrEnum):
    RED = "red"


@pytest.mark.parametrize("key", [Loud("red"), Colour.RED, "".join(["r", "ed"])])
def test_a_key_is_its_text(key: str, tmp_path: Path) -> None:
    for gates in (Gates(), SharedGates(tmp_path / "gates")):
        gate, once = gates.window("e", 1, 60), gates.fire_once("o")
        assert [gate.allow("red"), gate.allow(key), gate.allow("red ")] == [True, False, True]
        assert [once.fire(key), once.fire("red")] == [True, False]


@pytest.mark.parametrize("key", ["", "\0", "\ud800", "k" * 1_000_000])
def test_any_text_is_a_key(key: str) -> None:
    gates = Gates(clock=ManualClock())
    gate, once = gates.window("e", 1, 60), gates.fire_once("o")
    assert [gate.allow(key), gate.allow(key), gate.allow(key + "x"), gate.allow()] == [True, False, True, True]
    assert [once.fire(key), once.fire(key), once.fire(key + "x"), once.fire()] == [True, False, True, True]


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


def test_the_end_of_time_lifts_no_limit() -> None:
    for clock in (ManualClock(1e300), lambda: 1 << 64, lambda: 1 << 200):
        gates = Gates(clock=clock)
        assert sum(gates.window("w", 2, 1e300).allow() for _ in range(9)) == 2
        assert sum(gates.rate("r", 2, 60).allow() for _ in range(9)) == 2
        assert sum(gates.rate("huge", 2, 1e300).allow() for _ in range(9)) == 2
        assert sum(gates.fire_once("o", ttl=5).fire() for _ in range(9)) == 1


def test_a_clock_that_is_none_or_fails() -> None:
    with pytest.raises(TypeError):
        Gates(clock=3)
    with pytest.raises(TypeError):
        Gates(clock=lambda: 1.5).window("e", 1, 1).allow()

    def broken() -> int:
        raise OSError("no time")

    with pytest.raises(OSError, match="no time"):
        Gates(clock=broken).window("e", 1, 1).allow()
