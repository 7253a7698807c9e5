"""Gates under threads, and after a fork."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from interlock.gates import Gates, ManualClock


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
