"""Entering and leaving a scope, and the affinity check, beside context managers over a plain ContextVar.

Every entry has an org id of its own, from 10,000. All candidates run interleaved in one process; CPU time, medians.
"""

from __future__ import annotations

import argparse
import contextvars
import platform
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import interlock
from interlock.tenancy import tenant_scope
from interlock.tenancy.scope import current_frame, frame_allows

ORGS = 10_000


class Context(NamedTuple):
    """What the reference keeps in its context."""

    org_id: Any
    pre_resolution: bool


variable: contextvars.ContextVar[Any] = contextvars.ContextVar("variable", default=None)


@contextmanager
def bare(org_id: Any) -> Iterator[None]:
    token = variable.set(org_id)
    try:
        yield
    finally:
        variable.reset(token)


@contextmanager
def reference(org_id: Any) -> Iterator[None]:
    token = variable.set(Context(org_id, False))
    try:
        yield
    finally:
        variable.reset(token)


class Slotted:
    __slots__ = ("org_id", "token")

    def __init__(self, org_id: Any) -> None:
        self.org_id = org_id

    def __enter__(self) -> None:
        self.token = variable.set(self.org_id)

    def __exit__(self, *_: object) -> None:
        variable.reset(self.token)


def entering(scope: Callable[[Any], Any], orgs: list[Any]) -> Callable[[], None]:
    def run() -> None:
        for org in orgs:
            with scope(org):
                pass

    return run


def calling(function: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        for _ in range(ORGS):
            function()

    return run


def measure(candidates: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Return the median CPU nanoseconds of one turn of each candidate."""
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            start = time.process_time_ns()
            run()
            taken[name].append((time.process_time_ns() - start) / ORGS)
    return {name: statistics.median(values) for name, values in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds

    names = [f"org-{number}" for number in range(ORGS)]
    uuids = [uuid.uuid4() for _ in range(ORGS)]
    numbers = list(range(1_000_000, 1_000_000 + ORGS))
    peers = {
        "@contextmanager over ContextVar": entering(bare, names),
        "the same, with the reference's context object": entering(reference, names),
        "class with __slots__ over ContextVar": entering(Slotted, names),
    }
    ours = {
        "tenant_scope(str)": entering(tenant_scope, names),
        "tenant_scope(UUID text)": entering(tenant_scope, [str(value) for value in uuids]),
        "tenant_scope(UUID)": entering(tenant_scope, uuids),
        "tenant_scope(int)": entering(tenant_scope, numbers),
    }
    print(f"interlock {interlock.__version__}, Python {platform.python_version()}, {platform.platform()}, {cpu()}")
    results = measure(peers | ours, rounds)
    base = results["@contextmanager over ContextVar"]
    for name, nanoseconds in results.items():
        print(f"{nanoseconds:8.0f} ns  {base / nanoseconds:5.2f} x  {name}")

    with tenant_scope("org") as outer, tenant_scope("org"):
        checks = {
            "an empty Python call": calling(lambda: None),
            "current_frame()": calling(current_frame),
            "frame_allows(), one frame further out": calling(lambda: frame_allows(outer)),
        }
        for name, nanoseconds in measure(checks, rounds).items():
            print(f"{nanoseconds:8.0f} ns           {name}")


def cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            return next(line.split(":")[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown CPU"


if __name__ == "__main__":
    main()
