"""Reading verb and target of an operations command, beside a port of the published regex.

Run: python benchmarks/targets.py. Every call gets another command; the regex reads one verb of one tool and takes the
value of an option for the target, so its figure is a floor for time, not for what is read.
"""

from __future__ import annotations

import platform
import re
import shlex
import time
from collections.abc import Callable

import interlock
from interlock.targets import actions, docker_logical_key

VERBS = ("stop", "start", "restart", "rm", "kill", "pause")
PATTERNS = [
    (verb, re.compile(rf"\bdocker\s+(?:compose\s+)?{verb}\b\s+(?:-\S+\s+)*([\w.-]+)", re.IGNORECASE)) for verb in VERBS
]
SHAPES = (
    "docker stop web-{}",
    "docker compose -p shop{} restart -t 5 web",
    "sudo -n timeout 30 docker rm -f web-{} cache",
    "kubectl -n prod{} rollout restart deploy/api",
    "bash -c 'systemctl restart app-{}' && echo done",
)
COMMANDS = 10_000


def published_key(command: str) -> str | None:
    for verb, pattern in PATTERNS:
        match = pattern.search(command)
        if match:
            return f"{verb}:{match[1]}"
    return None


def per_call(read: Callable[[str], object], shape: str) -> float:
    """Best of five rounds, in nanoseconds."""
    rounds = []
    for turn in range(5):
        commands = [shape.format(turn * COMMANDS + number) for number in range(COMMANDS)]
        start = time.perf_counter_ns()
        for command in commands:
            read(command)
        rounds.append((time.perf_counter_ns() - start) / COMMANDS)
    return min(rounds)


def main() -> None:
    print(f"interlock {interlock.__version__}, CPython {platform.python_version()}, {platform.machine()}")
    print(f"{'command':48}{'key':>9}{'actions':>9}{'regex':>9}{'shlex':>9}   ns per call")
    for shape in SHAPES:
        readers = (docker_logical_key, actions, published_key, shlex.split)
        figures = "".join(f"{per_call(read, shape):9.0f}" for read in readers)
        print(f"{shape:48}{figures}")


if __name__ == "__main__":
    main()
