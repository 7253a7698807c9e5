"""`shell_command_hash` beside the reference's function in pure Python and beside SHA-256 alone.

Run with a release build: `python benchmarks/shell.py`. Every call gets a fresh string of 10,000 distinct
commands; each figure is the best of several rounds, in nanoseconds a call. `--instructions` counts instructions a
call instead, under callgrind (Debian's valgrind): a figure that no other load on the machine changes.
"""

from __future__ import annotations

import gc
import hashlib
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import interlock
from interlock import canonical_shell, shell_command_hash

COMMANDS = 10_000
ROUNDS = 15

_WHITE_SPACE = re.compile(r"\s+")
_AFTER_QUOTE = re.compile(r"(['\"])\s+")


def reference(command: str) -> str:
    """The published function: white space collapsed, inside quotes too."""
    canonical = _AFTER_QUOTE.sub(r"\1 ", _WHITE_SPACE.sub(" ", command.strip()))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def sha256_alone(command: str) -> str:
    return hashlib.sha256(command.encode()).hexdigest()[:12]


SHAPES = {
    "plain, 40 B": "docker compose -f /srv/{:05}/app.yml stop web",
    "plain, 200 B": "docker run -d --name svc-{:05} " + " ".join(f"-e K{n}=value-{n}" for n in range(12)) + " img:1",
    "quoted": "docker exec 'svc-{:05}' sh -c \"ls  -l /tmp\"",
    "expansion, list": 'cd /srv/{:05} && docker stop "$NAME"  # stop',
}


def nanoseconds(function: Callable[[str], str], shape: str) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        commands = [shape.format(number) for number in range(COMMANDS)]
        gc.disable()
        start = time.perf_counter_ns()
        for command in commands:
            function(command)
        best = min(best, (time.perf_counter_ns() - start) / COMMANDS)
        gc.enable()
    return best


def instructions(function: str, shape: str) -> float:
    """A call's instructions: what 2,000 calls take more than none, of which each has another command."""
    totals = []
    for count in (0, 2000):
        program = (
            f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import shell\n"
            f"commands = [shell.SHAPES[{shape!r}].format(number) for number in range(2000)]\n"
            f"for command in commands[:{count}]: shell.{function}(command)"
        )
        valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        done = subprocess.run(
            [*valgrind, sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
        collected = re.search(r"Collected : (\d+)", done.stderr)
        assert collected
        totals.append(int(collected[1]))
    return (totals[1] - totals[0]) / 2000


def count_instructions() -> None:
    print(f"{'instructions a call':22}{'interlock':>11}{'reference':>11}{'sha256':>9}")
    for name in SHAPES:
        figures = [instructions(f, name) for f in ("shell_command_hash", "reference", "sha256_alone")]
        print(f"{name:22}{figures[0]:11.0f}{figures[1]:11.0f}{figures[2]:9.0f}", flush=True)


def main() -> None:
    print(f"{platform.processor() or platform.machine()}, {platform.system()} {platform.release()}")
    print(f"CPython {platform.python_version()}, interlock {interlock.__version__}, {COMMANDS:,} distinct commands")
    print(f"{'':18}{'interlock':>11}{'reference':>11}{'sha256':>9}   × faster than reference   × sha256 alone")
    for name, shape in SHAPES.items():
        assert name.startswith("plain") == (canonical_shell(shape.format(1)) == shape.format(1))
        ours, theirs, floor = (nanoseconds(f, shape) for f in (shell_command_hash, reference, sha256_alone))
        print(f"{name:18}{ours:8.0f} ns{theirs:8.0f} ns{floor:6.0f} ns{theirs / ours:15.1f}{ours / floor:22.2f}")


if __name__ == "__main__":
    count_instructions() if "--instructions" in sys.argv else main()
