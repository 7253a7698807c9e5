"""DedupIndex.propose with the Proposal built, beside a dict and the published scan; bytes per entry.

    python benchmarks/dedup_index.py [--sizes 1000 100000 1000000] [--rounds 7]

A proposal is a fresh object for each of 10,000 distinct commands. "again": it is in flight; "new": it is not, and is
ended before the next round. "digests" is the floor: a set of SHA-256 digests, looked up and nothing else, which pays
for the misses of the caches alone. The sizes take turns within a round, so that what slows the machine slows them all.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from interlock.dedup import DedupIndex, Proposal

CALLS = 10_000
BUDGET_RATIO, BUDGET_RATE, BUDGET_BYTES = 2.0, 0.5e6, 400
SCANNED = 2_000_000  # rows a round of the scan may look at
SPACES = re.compile(r"\s+")


def command(number: int) -> str:
    return f"docker stop web-{number}"


def fresh(numbers: Sequence[int]) -> list[str]:
    return [command(number) for number in numbers]


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def filled(size: int) -> tuple[DedupIndex, float]:
    """An index with ``size`` entries in flight, and what each of them takes."""
    index = DedupIndex(lease=3600, capacity=4 * max(size, CALLS))
    gc.collect()
    before = resident()
    for number in range(size):
        index.propose(Proposal.shell(command(number), display_id=f"{number:06x}"))
    return index, (resident() - before) / size


class DictIndex:
    """What one would write first: one dict from content to row, one from target to rows."""

    def __init__(self, size: int) -> None:
        self.rows: dict[tuple[str, str], dict[str, object]] = {}
        self.targets: dict[str, list[dict[str, object]]] = {}
        for number in range(size):
            self.propose(command(number))

    def propose(self, text: str) -> bool:
        canonical = SPACES.sub(" ", text.strip())
        key = ("shell", hashlib.sha256(canonical.encode()).hexdigest())
        row = self.rows.get(key)
        if row is not None:
            return True
        target = canonical.rpartition(" ")[2]
        row = {"state": "pending", "command": canonical, "target": target}
        self.rows[key] = row
        self.targets.setdefault(target, []).append(row)
        return False


class Scan:
    """The published function: every row in flight is looked at for each proposal."""

    def __init__(self, size: int) -> None:
        self.rows = [
            ("pending", hashlib.sha256(command(n).encode()).hexdigest()[:12], f"stop:web-{n}") for n in range(size)
        ]

    def propose(self, text: str) -> bool:
        digest = hashlib.sha256(SPACES.sub(" ", text.strip()).encode()).hexdigest()[:12]
        in_flight = [row for row in self.rows if row[0] in ("pending", "executing", "interrupted")]
        return any(row[1] == digest for row in in_flight)


def digests(size: int) -> Callable[[str], bool]:
    """Membership of a set of digests: what no index of so many entries can do without."""
    known = {hashlib.sha256(command(number).encode()).digest() for number in range(size)}
    return lambda text: hashlib.sha256(text.encode()).digest() in known


def proposer(index: DedupIndex) -> Callable[[str], object]:
    return lambda text: index.propose(Proposal.shell(text))


def per_call(call: Callable[[str], object], texts: list[str]) -> float:
    began = time.perf_counter()
    for text in texts:
        call(text)
    return (time.perf_counter() - began) / len(texts)


def spread(size: int, calls: int) -> list[int]:
    """Numbers all over the index: neighbours in memory would flatter the caches."""
    return [number * 7_919 % size for number in range(calls)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    sizes: list[int] = options.sizes

    ours, heaps = {}, {}
    for size in sizes:
        ours[size], heaps[size] = filled(size)
    dicts = {size: DictIndex(size) for size in sizes}
    scans = {size: Scan(size) for size in sizes}
    floors = {size: digests(size) for size in sizes}
    gc.freeze()

    samples: dict[tuple[str, int], list[float]] = {}

    def note(what: str, size: int, seconds: float) -> None:
        samples.setdefault((what, size), []).append(seconds)

    for round_ in range(options.rounds):
        for size in sizes:
            propose = proposer(ours[size])
            note("again", size, per_call(propose, fresh(spread(size, CALLS))))
            note("new", size, per_call(propose, fresh(range(size + round_ * CALLS, size + (round_ + 1) * CALLS))))
            for row in ours[size].in_flight()[size:]:
                ours[size].transition(row.id, "cancelled")
            note("digests", size, per_call(floors[size], fresh(spread(size, CALLS))))
            note("dict", size, per_call(dicts[size].propose, fresh(spread(size, CALLS))))
            note("scan", size, per_call(scans[size].propose, fresh(spread(size, max(1, SCANNED // size)))))

    best = {key: statistics.median(values) for key, values in samples.items()}
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, CPython {platform.python_version()}, "
        f"median of {options.rounds} rounds"
    )
    print(f"{'in flight':>10} {'again':>9} {'new':>9} {'digests':>9} {'dict':>9} {'scan':>12} {'bytes/entry':>12}")
    for size in sizes:
        times = " ".join(f"{best[what, size] * 1e6:6.2f} µs" for what in ("again", "new", "digests", "dict"))
        print(f"{size:>10,} {times} {best['scan', size] * 1e6:>9,.0f} µs {heaps[size]:>12.0f}")
    low, high = min(sizes), max(sizes)
    for what in ("digests", "dict"):
        print(f"{what}: {high:,} / {low:,} = {best[what, high] / best[what, low]:.2f}")
    for what in ("again", "new"):
        ratio, rate = best[what, high] / best[what, low], 1 / best[what, high]
        verdict = "ok" if ratio <= BUDGET_RATIO and rate >= BUDGET_RATE else "MISSED"
        print(
            f"{what}: {high:,} / {low:,} = {ratio:.2f} (budget {BUDGET_RATIO}), "
            f"{rate / 1e6:.2f} M/s (budget {BUDGET_RATE / 1e6}): {verdict}"
        )
    verdict = "ok" if heaps[high] <= BUDGET_BYTES else "MISSED"
    print(f"memory: {heaps[high]:.0f} bytes an entry (budget {BUDGET_BYTES}): {verdict}")


if __name__ == "__main__":
    main()
