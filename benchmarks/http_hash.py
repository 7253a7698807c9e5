"""``http_request_hash`` beside orjson + hashlib and rfc8785 + hashlib, on bodies of 40 B to 1 MB.

Run: python benchmarks/http_hash.py [--instructions]. Every call gets a body of its own, built anew for each round,
of 10,000 (fewer for large ones). Needs orjson and rfc8785. ``--instructions`` counts instructions under valgrind's
callgrind instead of time: free of noise, but valgrind has no SHA extensions, so digests weigh more than they do.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import orjson
import rfc8785

import interlock
from interlock import http_request_hash

Body = dict[str, Any]
Hash = Callable[[str, str, Body], str]


def two_fields(number: int) -> Body:
    return {"id": number, "command": "restart", "on": True}


def five_fields(number: int) -> Body:
    mail = f"u{number}@example.com"
    return {"id": number, "name": f"user-{number}", "active": number % 2 == 0, "score": number / 7, "email": mail}


def one_kilobyte_flat(number: int) -> Body:
    text = f"entry {number}: " + "the service answered late and was restarted by its supervisor. " * 4
    fields = {f"label_{field}": f"value {field} of {number}" for field in range(16)}
    return {"id": number, "message": text, "level": "warning", "retries": 3, "labels": fields}


def one_kilobyte_nested(number: int) -> Body:
    steps = [
        {
            "name": f"step{step}",
            "image": f"registry/img:{step}",
            "retries": step,
            "timeout": 1.5 * step,
            "env": {"A": "x" * 10, "B": "y" * 10},
        }
        for step in range(8)
    ]
    owner = {"id": number * 7, "name": f"user-{number}", "email": f"u{number}@example.com"}
    tags = [f"tag{tag}" for tag in range(8)]
    return {"id": number, "title": f"job {number}", "owner": owner, "tags": tags, "steps": steps}


def hundred_kilobytes(number: int) -> Body:
    return {"jobs": [one_kilobyte_nested(number + job) for job in range(96)]}


def one_megabyte(number: int) -> Body:
    return {"jobs": [one_kilobyte_nested(number + job) for job in range(960)]}


def with_orjson(method: str, path: str, body: Body) -> str:
    form = f"{method} {path} ".encode() + orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(form).hexdigest()[:12]


def with_rfc8785(method: str, path: str, body: Body) -> str:
    form = f"{method} {path} ".encode() + rfc8785.dumps(body)
    return hashlib.sha256(form).hexdigest()[:12]


SHAPES: dict[Callable[[int], Body], int] = {
    two_fields: 10_000,
    five_fields: 10_000,
    one_kilobyte_flat: 10_000,
    one_kilobyte_nested: 10_000,
    hundred_kilobytes: 60,
    one_megabyte: 6,
}
HASHES: tuple[Hash, ...] = (http_request_hash, with_orjson, with_rfc8785)


def per_call(hash_: Hash, shape: Callable[[int], Body], count: int, rounds: int) -> float:
    """Best of some rounds, in nanoseconds."""
    best = float("inf")
    for turn in range(rounds):
        bodies = [shape(turn * count + number) for number in range(count)]
        gc.collect()
        gc.disable()
        start = time.perf_counter_ns()
        for body in bodies:
            hash_("POST", "/v1/jobs", body)
        best = min(best, (time.perf_counter_ns() - start) / count)
        gc.enable()
    return best


def instructions(name: str, shape: str) -> float:
    """Instructions of one call: what 200 more of them add to a run."""
    counted = []
    for count in (200, 400):
        build = f"bodies = [b.{shape}(n) for n in range(400)]"
        call = f"{build}\nfor body in bodies[:{count}]: b.{name}('POST', '/v1/jobs', body)"
        program = f"import sys; sys.path.insert(0, {sys.path[0]!r}); import http_hash as b\n{call}"
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "-c", program]
        report = subprocess.run(command, check=True, capture_output=True, text=True).stderr
        counted.append(int(report.rsplit("Collected :", 1)[1].split()[0]))
    return (counted[1] - counted[0]) / 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instructions", action="store_true")
    counting = parser.parse_args().instructions
    versions = ", ".join(f"{package} {version(package)}" for package in ("orjson", "rfc8785"))
    print(f"interlock {interlock.__version__}, {versions}, CPython {platform.python_version()}, {platform.machine()}")
    unit = "instructions" if counting else "ns"
    print(f"{unit + ' per call':22}{'bytes':>9}{'interlock':>12}{'orjson':>12}{'rfc8785':>12}   ratios")
    for shape, count in SHAPES.items():
        if counting and count < 10_000:
            continue
        if counting:
            ours, orjson_, rfc = (instructions(hash_.__name__, shape.__name__) for hash_ in HASHES)
        else:
            ours, orjson_ = (per_call(hash_, shape, count, 7) for hash_ in HASHES[:2])
            rfc = per_call(with_rfc8785, shape, max(count // 10, 2), 3)
        size = len(orjson.dumps(shape(1)))
        figures = f"{size:>9}{ours:>12.0f}{orjson_:>12.0f}{rfc:>12.0f}"
        print(f"{shape.__name__:22}{figures}   {orjson_ / ours:.2f} x, {rfc / ours:.1f} x", flush=True)


if __name__ == "__main__":
    main()
