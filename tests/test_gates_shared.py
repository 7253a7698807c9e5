"""One quota for all workers of a host: forked, spawned, killed, restarted with another version."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from interlock.errors import GateLimitError, SharedGatesError
from interlock.gates import ManualClock, SharedGates

WORKER = """
import sys
from interlock.gates import SharedGates
gates = SharedGates(sys.argv[1], max_keys=1024)
gate = gates.window("e", 5, 3600)
once = gates.fire_once("o")
sys.stdin.readline()
print(sum(gate.allow("k") for _ in range(20000)), sum(once.fire("k") for _ in range(1000)))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gates"


def spawn(path: Path, script: str = WORKER) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_spawned_workers_share_one_exact_quota(path: Path) -> None:
    workers = [spawn(path) for _ in range(4)]
    answers = [worker.communicate("go\n", timeout=60)[0].split() for worker in workers]
    assert sum(int(emitted) for emitted, _ in answers) == 5
    assert sum(int(fired) for _, fired in answers) == 1
    totals = SharedGates(path, max_keys=1024).stats()
    assert (totals.emitted, totals.suppressed) == (6, 84_000 - 6)


def test_forked_workers_share_one_exact_quota(path: Path) -> None:
    gate = SharedGates(path, max_keys=64).window("e", 5, 3600)
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            os._exit(sum(gate.allow("k") for _ in range(5000)))
        children.append(child)
    emitted = sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
    assert emitted == 5
    assert gate.suppressed("k") == 20_000 - 5


def test_workers_killed_at_any_moment_stop_nobody(path: Path) -> None:
    script = """
import sys
from interlock.gates import SharedGates
gates = SharedGates(sys.argv[1], max_keys=8)
gate, once = gates.window("e", 1, 3600, event_budget=None), gates.fire_once("o")
print("ready", flush=True)
number = 0
while True:
    number += 1
    gate.allow(str(number)); once.fire(str(number)); once.reset(str(number))
"""
    gates = SharedGates(path, max_keys=8)
    gate = gates.window("e", 1, 3600, event_budget=None)
    assert [gate.allow("hot"), gate.allow("hot")] == [True, False]
    for _ in range(5):
        worker = spawn(path, script)
        assert worker.stdout is not None
        worker.stdout.readline()
        for number in range(2000):
            gate.allow(f"mine-{number}")
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        assert not gate.allow("hot")
        assert gates.fire_once("mine").fire(str(worker.pid))


def test_a_worker_sees_the_keys_and_reports_the_counts_of_another(path: Path) -> None:
    clock = ManualClock(3)
    mine, other = SharedGates(path, max_keys=64, clock=clock), SharedGates(path, max_keys=64, clock=clock)
    assert mine.window("e", 1, 60).allow("k")
    assert not other.window("e", 1, 60).allow("k")
    (row,) = mine.drain()
    assert (row.event, row.subkey, row.count, row.first) == ("e", "k", 1, 3.0)
    assert other.drain() == []


def test_the_file_is_private(path: Path) -> None:
    shared = SharedGates(path, max_keys=64)
    assert Path(shared.path) == path
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", [b"x", b"precious data " * 1000, b"\0" * 100], ids=["short", "another file", "zeros"]
)
def test_another_file_is_left_alone(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(SharedGatesError, match="not a table of gates") as caught:
        SharedGates(path)
    assert isinstance(caught.value, OSError)
    assert caught.value.path == str(path)
    assert path.read_bytes() == content


def test_a_file_that_others_may_write_is_refused(path: Path) -> None:
    SharedGates(path)
    path.chmod(0o622)
    with pytest.raises(SharedGatesError, match="0600"):
        SharedGates(path)


def test_a_symbolic_link_a_folder_and_a_missing_folder_are_refused(path: Path, tmp_path: Path) -> None:
    SharedGates(path)
    link = tmp_path / "link"
    link.symlink_to(path)
    for wrong in (link, tmp_path, tmp_path / "none" / "gates"):
        with pytest.raises(SharedGatesError):
            SharedGates(wrong)


@pytest.mark.parametrize("word", [1, 3], ids=["layout version", "boot"])
def test_a_stale_table_is_replaced_and_its_users_keep_what_they_have(path: Path, word: int) -> None:
    before = SharedGates(path, max_keys=64).window("e", 1, 3600)
    assert before.allow()
    with path.open("r+b") as file:
        file.seek(8 * word)
        file.write((12345).to_bytes(8, "little"))
    after = SharedGates(path, max_keys=64).window("e", 1, 3600)
    assert after.allow()
    assert not before.allow()
    assert not SharedGates(path, max_keys=64).window("e", 1, 3600).allow()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_another_capacity_replaces_the_table(path: Path) -> None:
    assert SharedGates(path, max_keys=64).stats().capacity == 64
    assert SharedGates(path, max_keys=128).stats().capacity == 128


def test_a_worker_killed_before_it_wrote_the_header(path: Path) -> None:
    SharedGates(path, max_keys=64)
    with path.open("r+b") as file:
        file.write(bytes(64))
    assert SharedGates(path, max_keys=64).window("e", 1, 3600).allow()


def test_no_room_for_nothing(path: Path) -> None:
    with pytest.raises(GateLimitError):
        SharedGates(path, max_keys=0)
    assert not path.exists()


def test_multiprocessing_children_open_it_by_path(path: Path) -> None:
    SharedGates(path, max_keys=64).window("e", 1, 3600).allow()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(ask, (path,)) is False
        pool.close()
        pool.join()


def ask(path: Path) -> bool:
    return SharedGates(path, max_keys=64).window("e", 1, 3600).allow()
