"""Removes the servers that a killed run left behind."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PREFIX = "interlock-pg-"
_OWNER = "owner"


def claim(folder: Path) -> None:
    """Record who uses the folder: the process and when it started, since process ids are used again."""
    (folder / _OWNER).write_text(f"{os.getpid()} {_started(os.getpid())}")


def remove_leftovers() -> None:
    """Stop and delete every cluster of ours whose owner is gone."""
    for root in {tempfile.gettempdir(), "/tmp"}:
        for folder in Path(root).glob(PREFIX + "*"):
            with suppress(OSError, ValueError):
                _remove_if_abandoned(folder)


def _remove_if_abandoned(folder: Path) -> None:
    mark = folder / _OWNER
    if mark.stat().st_uid != os.geteuid():
        return
    pid, started = mark.read_text().split()
    if _started(int(pid)) == started:
        return
    _stop_server(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _stop_server(folder: Path) -> None:
    pid_file = folder / "data" / "postmaster.pid"
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text().splitlines()[0])
    # The id may be another program's by now: only a process that works in this folder is the server.
    if not Path(os.readlink(f"/proc/{pid}/cwd")).is_relative_to(folder):
        return
    os.kill(pid, signal.SIGINT)
    for _ in range(500):
        if not _started(pid):
            return
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)


def _started(pid: int) -> str:
    """When a process started, in the kernel's clock ticks; "" if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        pass
    if Path("/proc").is_dir():
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "alive"
