"""Line, audit row and capture in one branch: a body that fails arms again after a pause."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import GateError
from interlock.gates import FireOnce, Gates, ManualClock


def fail(gate: FireOnce, key: str | None = None) -> bool:
    """Enter a transition whose body fails; whether it had fired."""
    try:
        with gate.transition(key) as fired:
            raise ConnectionError
    except ConnectionError:
        return fired


@given(
    st.lists(
        st.tuples(st.sampled_from(["fire", "reset", "fail"]), st.sampled_from(["a", "", "\ud800"]), st.integers(0, 3)),
        max_size=60,
    )
)
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
