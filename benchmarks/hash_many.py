"""``hash_many`` of 100,000 payloads: throughput, and the longest time the event loop was held up.

Run: python benchmarks/hash_many.py. A second task notes for each of its turns how long it had to wait, and how much of
that the loop's own thread was running: the rest of a wait is the machine's, which is busy with something else. Each
line is the median of some rounds, which take turns. ``nothing`` is an idle loop in the same rounds: what the machine
itself holds up. The comparison is the same work in one loop of calls, and in ``asyncio.to_thread``.
"""

from __future__ import annotations

import asyncio
import gc
import platform
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import interlock
from interlock import hash_many, http_request_hash

COUNT = 100_000
ROUNDS = 5
Payload = tuple[str, str, dict[str, Any]]


def payloads() -> list[Payload]:
    return [
        ("POST", f"/v1/jobs/{n}", {"id": n, "name": f"user-{n}", "active": True, "score": n / 7, "tags": ["a", "b"]})
        for n in range(COUNT)
    ]


async def nothing(batch: list[Payload]) -> list[str]:
    """An idle loop: what the machine itself holds up."""
    end = time.perf_counter() + 0.3
    while time.perf_counter() < end:  # noqa: ASYNC110 - the turns are what is measured
        await asyncio.sleep(0)
    return []


async def one_by_one(batch: list[Payload]) -> list[str]:
    return [http_request_hash(*payload) for payload in batch]


async def in_a_thread(batch: list[Payload]) -> list[str]:
    return await asyncio.to_thread(lambda: [http_request_hash(*payload) for payload in batch])


async def in_slices(batch: list[Payload]) -> list[str]:
    return await hash_many("http", batch)


@dataclass
class Round:
    seconds: float
    longest_wait: float
    longest_run: float
    """Of the loop's own thread, without a turn of the other task."""
    hashes: list[str]


async def measure(hash_all: Callable[[list[Payload]], Awaitable[list[str]]]) -> Round:
    batch = payloads()
    waits: list[tuple[float, float]] = []

    async def wait_for_turns() -> None:
        wall, running = time.perf_counter(), time.thread_time()
        while True:
            await asyncio.sleep(0)
            last = wall, running
            wall, running = time.perf_counter(), time.thread_time()
            waits.append((wall - last[0], running - last[1]))

    waiting = asyncio.create_task(wait_for_turns())
    await asyncio.sleep(0)
    start = time.perf_counter()
    hashes = await hash_all(batch)
    seconds = time.perf_counter() - start
    await asyncio.sleep(0)
    waiting.cancel()
    return Round(seconds, max(wall for wall, _ in waits), max(running for _, running in waits), hashes)


def main() -> None:
    print(f"interlock {interlock.__version__}, CPython {platform.python_version()}, {platform.machine()}")
    ways = (nothing, in_slices, one_by_one, in_a_thread)
    rounds: dict[str, list[Round]] = {way.__name__: [] for way in ways}
    for _ in range(ROUNDS):
        for way in ways:
            rounds[way.__name__].append(asyncio.run(measure(way)))
            gc.collect()
        last = [rounds[way.__name__][-1].hashes for way in ways[1:]]
        if not last[0] == last[1] == last[2]:
            raise SystemExit("the hashes differ")
    print(f"{COUNT} requests{'seconds':>10}{'longest wait':>18}{'of it running':>18}{'least wait':>16}")
    for name, measured in rounds.items():
        seconds = statistics.median(round_.seconds for round_ in measured)
        wait = statistics.median(round_.longest_wait for round_ in measured) * 1e3
        running = statistics.median(round_.longest_run for round_ in measured) * 1e3
        least = min(round_.longest_wait for round_ in measured) * 1e3
        print(f"{name:15}{seconds:10.3f}{wait:15.2f} ms{running:15.2f} ms{least:13.2f} ms")


if __name__ == "__main__":
    main()
