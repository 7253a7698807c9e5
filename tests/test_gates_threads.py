"""Gates under threads, and after a fork."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from interlock.gates import Gates, ManualClock, SharedGates

T = TypeVar("T")


def at_once(works: list[Callable[[], T]]) -> list[T]:
    """Run each on a thread of its own; all start together."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], T]) -> T:
        start.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(run, work) for work in works]]


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this CPython always has the lock")
def test_the_import_leaves_the_interpreter_lock_off() -> None:
    script = "import interlock, interlock.gates, sys; sys.exit(sys._is_gil_enabled())"
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


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

    def hammer() -> tuple[int, int, int]:
        calls = range(5000)
        return (
            sum(window.allow(key) for _ in calls),
            sum(rate.allow(key) for _ in calls),
            sum(once.fire(key) for _ in calls),
        )

    results = at_once([hammer] * 8)
    assert [sum(column) for column in zip(*results, strict=True)] == [5, 7, 1]
    assert gates.stats().suppressed == 3 * 40_000 - 13


@pytest.mark.parametrize("shared", [False, True])
def test_of_keys_that_evict_each_other_while_others_drain_no_call_is_lost(shared: bool, tmp_path: Path) -> None:
    gates = SharedGates(tmp_path / "gates", max_keys=8) if shared else Gates(max_keys=8)
    gate = gates.window("e", 1, 3600, event_budget=50)

    def call(first: int) -> tuple[int, int]:
        return sum(gate.allow(f"key-{(first + number) % 40}") for number in range(2000)), 0

    def drain() -> tuple[int, int]:
        return 0, sum(row.count for _ in range(50) for row in gates.drain())

    counts = at_once([lambda first=first * 7: call(first) for first in range(4)] + [drain, drain])
    emitted, drained = (sum(column) for column in zip(*counts, strict=True))
    drained += sum(row.count for row in gates.drain())
    assert (emitted, drained) == (50, 4 * 2000 - 50)
    assert (gates.stats().emitted, gates.stats().suppressed) == (emitted, drained)


def test_threads_are_told_each_suppressed_call_once() -> None:
    clock = ManualClock()
    gates = Gates(clock=clock)
    gate = gates.window("e", 1, 1, event_budget=None)

    def check() -> tuple[int, int]:
        decisions = []
        for number in range(1000):
            if number % 100 == 0:
                clock.advance(1)
            decisions.append(gate.check("k"))
        return sum(map(bool, decisions)), sum(decision.suppressed_before for decision in decisions)

    results = at_once([check] * 6)
    emitted, told = (sum(column) for column in zip(*results, strict=True))
    assert told + gate.suppressed("k") == 6 * 1000 - emitted
    assert gates.stats().emitted == emitted


def test_of_threads_in_a_transition_one_runs_the_body_until_it_ends_well() -> None:
    clock = ManualClock()
    once = Gates(clock=clock).fire_once("o")
    bodies: list[int] = []
    done = threading.Event()

    def attempt() -> int:
        entered = 0
        while not done.is_set():
            try:
                with once.transition("k") as fired:
                    if fired:
                        entered += 1
                        bodies.append(len(bodies))
                        if len(bodies) < 4:
                            raise ConnectionError
                        done.set()
            except ConnectionError:
                clock.advance(60)
        return entered + sum(once.fire("k") for _ in range(100))

    assert sum(at_once([attempt] * 6)) == len(bodies) == 4
