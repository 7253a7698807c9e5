"""Runs the service as its operators do: a uvicorn process of its own on a port of this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from union_station.settings import Settings

START_SECONDS = 30
STOP_SECONDS = 10


@contextmanager
def running(settings: Settings, *, port: int = 0) -> Iterator[str]:
    """Start uvicorn and yield its address; the process is gone when the block ends.

    Raises:
        SystemExit: the port is taken, or the service did not start; the message says which.

    """
    with _listening(port) as listener, tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            # The socket is handed over bound, so that no other process can take the port in between.
            [
                *(sys.executable, "-m", "uvicorn", "--factory", "union_station.app:create_app"),
                *("--fd", str(listener.fileno()), "--log-level", "warning"),
                # Longer than a client keeps a connection, so that none is closed while it is being used again.
                *("--timeout-keep-alive", "75"),
            ],
            env={**os.environ, **settings.environment(), "PYTHONPATH": _import_path()},
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this program first, which then stops the service
        )
        try:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            if not _answers(address, process):
                log.seek(0)
                raise SystemExit("the service did not start:\n" + log.read().decode(errors="replace")[-4000:])
            yield address
        finally:
            _stop(process)


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise SystemExit(f"port {port} cannot be used: {error.strerror}: choose another with --port") from None
        listener.listen(512)
        yield listener


def _answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            return httpx.get(f"{address}/healthz", timeout=2).is_success
        except httpx.TransportError:
            time.sleep(0.05)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _import_path() -> str:
    folders = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join(folder for folder in folders if folder)
