"""Gates beside the limiters people use, in one run; prints nanoseconds a call and ratios.

Run with ``python benchmarks/gates.py`` on a release build. Peers that are not installed are left out:
``pip install limits throttled-py pyrate-limiter token-bucket rust-py-rate-limit``.
"""

from __future__ import annotations

import importlib.metadata
import logging
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from interlock._native import EmptyGate, empty_call
from interlock.gates import GateFilter, Gates, SharedGates, fire_once, should_emit

ROUNDS, CALLS = 60, 1000
LIMIT, WINDOW = 5, 3600.0

Call = Callable[[str], object]


class DictBucket:
    """The token bucket one writes by hand."""

    def __init__(self) -> None:
        self.buckets: dict[str, tuple[float, float]] = {}

    def allow(self, key: str) -> bool:
        now = time.monotonic()
        tokens, at = self.buckets.get(key, (float(LIMIT), now))
        tokens = min(float(LIMIT), tokens + (now - at) * (LIMIT / WINDOW))
        if tokens >= 1.0:
            self.buckets[key] = (tokens - 1.0, now)
            return True
        self.buckets[key] = (tokens, now)
        return False


class LockedDictBucket(DictBucket):
    """The same, made safe for threads."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def allow(self, key: str) -> bool:
        with self.lock:
            return super().allow(key)


def peers() -> dict[str, Call]:
    found: dict[str, Call] = {"dict bucket": DictBucket().allow, "dict bucket + lock": LockedDictBucket().allow}
    with suppress(ImportError):
        import rust_py_rate_limit  # type: ignore[import-not-found]

        found["rust-py-rate-limit"] = rust_py_rate_limit.RateLimiter(LIMIT, int(WINDOW)).allow
    with suppress(ImportError):
        from limits import RateLimitItemPerHour
        from limits.storage import MemoryStorage
        from limits.strategies import FixedWindowRateLimiter

        strategy, item = FixedWindowRateLimiter(MemoryStorage()), RateLimitItemPerHour(LIMIT)
        found["limits"] = lambda key: strategy.hit(item, key)
    with suppress(ImportError):
        from throttled import RateLimiterType, Throttled, rate_limiter  # type: ignore[import-not-found]

        throttle = Throttled(using=RateLimiterType.GCRA.value, quota=rate_limiter.per_hour(LIMIT))
        found["throttled-py"] = lambda key: throttle.limit(key)
    with suppress(ImportError):
        import pyrate_limiter as pyrate  # type: ignore[import-not-found]

        class BucketOfKey(pyrate.BucketFactory):  # type: ignore[misc]
            """A bucket for each key, without the thread that would clean up a hundred thousand of them."""

            def __init__(self) -> None:
                self.clock, self.buckets = pyrate.MonotonicClock(), {}

            def wrap_item(self, name: str, weight: int = 1) -> object:
                return pyrate.RateItem(name, self.clock.now(), weight=weight)

            def get(self, item: pyrate.RateItem) -> object:
                if item.name not in self.buckets:
                    rate = pyrate.Rate(LIMIT, pyrate.Duration.HOUR)
                    self.buckets[item.name] = pyrate.InMemoryBucket([rate])
                return self.buckets[item.name]

        limiter = pyrate.Limiter(BucketOfKey())
        found["pyrate-limiter"] = lambda key: limiter.try_acquire(key, blocking=False)
    with suppress(ImportError):
        import token_bucket  # type: ignore[import-not-found]

        bucket = token_bucket.Limiter(LIMIT / WINDOW, LIMIT, token_bucket.MemoryStorage())
        found["token-bucket"] = bucket.consume
    return found


def nanoseconds(call: Call, keys: list[str]) -> float:
    """One pass over ``keys``, per call, in CPU time: other processes are not in it."""
    started = time.thread_time_ns()
    for key in keys:
        call(key)
    return (time.thread_time_ns() - started) / len(keys)


def empty_loop() -> float:
    keys = fresh("the-hot-key")

    def once() -> float:
        started = time.thread_time_ns()
        for _ in keys:
            pass
        return (time.thread_time_ns() - started) / len(keys)

    return min(once() for _ in range(ROUNDS))


def fresh(key: str) -> list[str]:
    """One key, as often as it is called, each time as a new object whose hash nobody has computed."""
    return [key.encode().decode() for _ in range(CALLS)]


def best(call: Call) -> float:
    """The best of many short passes, without the loop. Short, so that some are not interrupted."""
    return min(nanoseconds(call, fresh("the-hot-key")) for _ in range(ROUNDS)) - empty_loop()


def in_threads(call: Call, threads: int) -> float:
    """CPU time of the process per call when ``threads`` threads call at once."""
    keys = ["the-hot-key"] * 50_000

    def work() -> None:
        for key in keys:
            call(key)

    def once() -> float:
        workers = [threading.Thread(target=work) for _ in range(threads)]
        started = time.process_time_ns()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return (time.process_time_ns() - started) / (len(keys) * threads)

    return min(once() for _ in range(9))


def in_processes(path: Path, processes: int) -> tuple[float, int]:
    """CPU time per call in each of ``processes`` workers on one shared table, and how many they were allowed."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    start = context.Barrier(processes)

    def work() -> None:
        gate = SharedGates(path).window("shared", LIMIT, WINDOW)
        start.wait()
        began = time.process_time_ns()
        allowed = sum(gate.allow("hot") for _ in range(200_000))
        results.put(((time.process_time_ns() - began) / 200_000, allowed))

    workers = [context.Process(target=work) for _ in range(processes)]
    for worker in workers:
        worker.start()
    answers = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    return statistics.median(cost for cost, _ in answers), sum(allowed for _, allowed in answers)


def attack(distinct: int) -> None:
    """Flood one table with distinct keys, in batches, and look at its memory and at a muted hot key."""
    gates = Gates()
    gate = gates.window("attacked", LIMIT, WINDOW)
    for _ in range(LIMIT + 1):
        gate.allow("hot")
    slipped, first_million = 0, 0.0
    for number in range(distinct):
        gate.allow(f"key-{number}")
        if number % 1000 == 0:
            slipped += gate.allow("hot")
        if number == distinct // 10:
            first_million = resident_megabytes()
    stats = gates.stats()
    exact = stats.emitted + stats.suppressed == distinct + len(range(0, distinct, 1000)) + LIMIT + 1
    print(f"an attack with {distinct:,} distinct keys")
    print(
        f"  keys in the table {stats.keys:,} of {stats.capacity:,}; lines {stats.emitted:,}, of the hot key {slipped}"
    )
    print(f"  emitted + suppressed = calls: {exact}")
    print(f"  resident memory after a tenth {first_million:.1f} MB, at the end {resident_megabytes():.1f} MB")


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def line(label: str, value: float, note: str = "") -> None:
    print(f"  {label:<44}{value:>10.1f} ns  {note}")


def main() -> None:
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, CPython {platform.python_version()}")
    for name in ("limits", "throttled-py", "pyrate-limiter", "token-bucket", "rust-py-rate-limit"):
        with suppress(importlib.metadata.PackageNotFoundError):
            print(f"  {name} {importlib.metadata.version(name)}")
    hot = ["the-hot-key"] * CALLS
    gate = Gates().window("hot", LIMIT, WINDOW)
    precise = Gates(clock=time.monotonic_ns).window("hot", LIMIT, WINDOW)
    measured = {name: best(call) for name, call in peers().items()}
    floor, own = best(empty_call), best(gate.allow)

    print("one hot key, denied (the flood)")
    line("empty PyO3 call", floor)
    line("empty PyO3 method, the same signature", best(EmptyGate().allow))
    line("Gate.allow(subkey)", own, f"{own / floor:.2f} x the empty call (budget 2)")
    same = min(nanoseconds(gate.allow, hot) for _ in range(ROUNDS)) - empty_loop()
    line("Gate.allow(subkey), a literal as subkey", same, f"{same / floor:.2f} x the empty call")
    line("Gate.allow(subkey), time.monotonic_ns as clock", best(precise.allow))
    line("should_emit(key, 5, 3.6e6)", best(lambda key: should_emit(key, LIMIT, WINDOW * 1e3)))
    line("fire_once(key)", best(fire_once))
    for name, cost in measured.items():
        line(name, cost, f"{cost / own:.1f} x Gate.allow")

    print("100,000 keys, each for the first time")
    many = [f"key-{number}" for number in range(100_000)]
    wide = Gates(max_keys=131_072).window("many", LIMIT, WINDOW, event_budget=None)
    line("Gate.allow(subkey)", nanoseconds(wide.allow, many))
    line("Gate.allow(subkey), again", nanoseconds(wide.allow, many))
    for name, call in peers().items():
        line(name, nanoseconds(call, many))

    print("two threads, CPU time per call")
    for name, call in {"Gate.allow(subkey)": gate.allow, **peers()}.items():
        one, two = in_threads(call, 1), in_threads(call, 2)
        line(name, two, f"{two / one:.2f} x one thread")

    print("one table shared by processes, CPU time per call")
    folder = "/dev/shm" if Path("/dev/shm").is_dir() else None
    single = 0.0
    for processes in (1, 2, 4):
        with tempfile.TemporaryDirectory(dir=folder) as directory:
            cost, allowed = in_processes(Path(directory) / "gates", processes)
        single = single or cost
        line(
            f"{processes} processes", cost, f"{cost / single:.2f} x one, allowed in total: {allowed} (exact: {LIMIT})"
        )

    print("a line that is not written")
    logger = logging.getLogger("benchmark")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    line("if gate.allow(key): logger.critical(...)", best(lambda key: gate.allow(key) and logger.critical(key)))
    line("logger.critical(...), written to nowhere", best(logger.critical))
    logger.addFilter(GateFilter(Gates().window("log", LIMIT, WINDOW)))
    line("logger.critical(...), denied by a GateFilter", best(logger.critical))
    attack(10_000_000)


if __name__ == "__main__":
    sys.exit(main())
