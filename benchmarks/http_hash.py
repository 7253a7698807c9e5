"""``http_request_hash`` beside orjson, json and rfc8785, each with hashlib, on bodies of 40 B to 1 MB.

Run: python benchmarks/http_hash.py [--instructions]. Every call gets a body of its own, built anew for each round,
of 10,000 in all (fewer of large ones); the peers take turns in short rounds, so that what else the machine does
meets all of them. Needs orjson and rfc8785. ``--instructions`` counts instructions under valgrind's callgrind instead
of time, which is free of noise. It counts the canonical form alone: valgrind has no SHA extensions, so digests, which
cost all of them the same, would weigh far more than they do.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
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
from interlock import canonical_http, http_request_hash

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


def orjson_form(method: str, path: str, body: Body) -> bytes:
    return f"{method} {path} ".encode() + orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def json_form(method: str, path: str, body: Body) -> bytes:
    return f"{method} {path} {json.dumps(body, sort_keys=True, separators=(',', ':'), ensure_ascii=False)}".encode()


def rfc8785_form(method: str, path: str, body: Body) -> bytes:
    return f"{method} {path} ".encode() + rfc8785.dumps(body)


def with_orjson(method: str, path: str, body: Body) -> str:
    return hashlib.sha256(orjson_form(method, path, body)).hexdigest()[:12]


def with_json(method: str, path: str, body: Body) -> str:
    return hashlib.sha256(json_form(method, path, body)).hexdigest()[:12]


def with_rfc8785(method: str, path: str, body: Body) -> str:
    return hashlib.sha256(rfc8785_form(method, path, body)).hexdigest()[:12]


SHAPES: dict[Callable[[int], Body], int] = {
    two_fields: 10_000,
    five_fields: 10_000,
    one_kilobyte_flat: 10_000,
    one_kilobyte_nested: 10_000,
    hundred_kilobytes: 160,
    one_megabyte: 16,
}
HASHES: tuple[Hash, ...] = (http_request_hash, with_orjson, with_json, with_rfc8785)
FORMS: tuple[Callable[[str, str, Body], bytes], ...] = (canonical_http, orjson_form, json_form, rfc8785_form)
ROUNDS = 8
SLOW = 20
"""rfc8785 gets one body where the others get so many."""


def per_call(shape: Callable[[int], Body], count: int) -> list[float]:
    """The best round of each hash, in nanoseconds per call."""
    best = [float("inf")] * len(HASHES)
    size = count // ROUNDS
    for turn in range(2 * ROUNDS):
        order = [(turn + step) % len(HASHES) for step in range(len(HASHES))]
        for index in order:
            calls = max(size // SLOW, 1) if HASHES[index] is with_rfc8785 else size
            best[index] = min(best[index], one_round(HASHES[index], shape, turn % ROUNDS * size, calls))
    return best


def one_round(hash_: Hash, shape: Callable[[int], Body], first: int, calls: int) -> float:
    bodies = [shape(first + number) for number in range(calls)]
    gc.collect()
    gc.disable()
    start = time.perf_counter_ns()
    for body in bodies:
        hash_("POST", "/v1/jobs", body)
    elapsed = time.perf_counter_ns() - start
    gc.enable()
    return elapsed / calls


def instructions(form: str, shape: str) -> float:
    """Instructions of one call: what 200 more of them add to a run."""
    counted = []
    for count in (200, 400):
        build = f"bodies = [b.{shape}(n) for n in range(400)]"
        call = f"{build}\nfor body in bodies[:{count}]: b.{form}('POST', '/v1/jobs', body)"
        program = f"import sys; sys.path.insert(0, {sys.path[0]!r}); import http_hash as b\n{call}"
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "-c", program]
        # Random hashes would make the runs differ by more than the calls.
        environment = os.environ | {"PYTHONHASHSEED": "0"}
        report = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stderr
        counted.append(int(report.rsplit("Collected :", 1)[1].split()[0]))
    return (counted[1] - counted[0]) / 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instructions", action="store_true")
    counting = parser.parse_args().instructions
    versions = ", ".join(f"{package} {version(package)}" for package in ("orjson", "rfc8785"))
    print(f"interlock {interlock.__version__}, {versions}, CPython {platform.python_version()}, {platform.machine()}")
    unit = "instructions of a form" if counting else "ns per call"
    print(f"{unit:24}{'bytes':>9}{'interlock':>12}{'orjson':>12}{'json':>12}{'rfc8785':>12}   ratios")
    for shape, count in SHAPES.items():
        if not counting:
            figures = per_call(shape, count)
        elif count == SHAPES[two_fields]:
            figures = [instructions(form.__name__, shape.__name__) for form in FORMS]
        else:
            continue
        ours, *peers = figures
        columns = "".join(f"{figure:>12.0f}" for figure in figures)
        ratios = ", ".join(f"{peer / ours:.2f} x" for peer in peers)
        print(f"{shape.__name__:24}{len(orjson.dumps(shape(1))):>9}{columns}   {ratios}", flush=True)


if __name__ == "__main__":
    main()
