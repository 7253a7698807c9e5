"""``hash_many`` of 100,000 payloads: throughput, and the longest time the event loop was held up.

Run: python benchmarks/hash_many.py. A second task notes how long each of its turns had to wait. The comparison is the
same work in one loop of calls, and in ``asyncio.to_thread``; ``nothing`` is what the machine itself holds up.
"""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Awaitable, Callable
from typing import Any

import interlock
from interlock import hash_many, http_request_hash

COUNT = 100_000
Payload = tuple[str, str, dict[str, Any]]


def payloads() -> list[Payload]:
    return [
        ("POST", f"/v1/jobs/{n}", {"id": n, "name": f"user-{n}", "active": True, "score": n / 7, "tags": ["a", "b"]})
        for n in range(COUNT)
    ]


async def nothing(batch: list[Payload]) -> list[str]:
    """Half a second of an idle loop: what the machine itself holds up."""
    end = time.perf_counter() + 0.5
    while time.perf_counter() < end:  # noqa: ASYNC110 - the turns are what is measured
        await asyncio.sleep(0)
    return [http_request_hash(*payload) for payload in batch[:0]]


async def one_by_one(batch: list[Payload]) -> list[str]:
    return [http_request_hash(*payload) for payload in batch]


async def in_a_thread(batch: list[Payload]) -> list[str]:
    return await asyncio.to_thread(lambda: [http_request_hash(*payload) for payload in batch])


async def in_slices(batch: list[Payload]) -> list[str]:
    return await hash_many("http", batch)


async def measure(hash_all: Callable[[list[Payload]], Awaitable[list[str]]]) -> tuple[float, list[float], list[str]]:
    batch = payloads()
    waits: list[float] = []

    async def wait_for_turns() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            waits.append(now - last)
            last = now

    waiting = asyncio.create_task(wait_for_turns())
    await asyncio.sleep(0)
    start = time.perf_counter()
    hashes = await hash_all(batch)
    seconds = time.perf_counter() - start
    await asyncio.sleep(0)
    waiting.cancel()
    return seconds, sorted(waits), hashes


def main() -> None:
    print(f"interlock {interlock.__version__}, CPython {platform.python_version()}, {platform.machine()}")
    print(f"{COUNT} requests{'seconds':>14}{'longest wait':>16}{'99.9 %':>12}")
    results = []
    for hash_all in (nothing, in_slices, one_by_one, in_a_thread):
        seconds, waits, hashes = asyncio.run(measure(hash_all))
        results.append(hashes)
        late = waits[int(len(waits) * 0.999)]
        print(f"{hash_all.__name__:15}{seconds:14.3f}{max(waits) * 1e3:13.2f} ms{late * 1e3:9.2f} ms", flush=True)
    if not results[1] == results[2] == results[3]:
        raise SystemExit("the hashes differ")


if __name__ == "__main__":
    main()
