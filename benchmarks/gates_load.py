"""A service behind a deadline that has passed, under load: lines, counts, memory, latency, with and without a gate.

Run: ``python benchmarks/gates_load.py --seconds 60 --workers 2``. The server is uvicorn, the clients are this
program's own, over keep-alive connections; both share the machine, so the figures compare, they do not boast.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from interlock.gates import SharedGates
from interlock.web import DeadlineMiddleware

CONNECTIONS = 16
REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


def create_app() -> Any:
    """The service; the environment says where to log, and whether with a gate."""
    logging.basicConfig(filename=os.environ["LOAD_LOG"], level=logging.ERROR)
    if os.environ["LOAD_GATED"] == "1":
        gate = SharedGates(os.environ["LOAD_GATES"]).fire_once("load")
        return DeadlineMiddleware(never, deadline=lambda: True, event="load", fire_once=gate)
    return ungated


async def never(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})


async def ungated(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        await never(scope, receive, send)
        return
    logging.getLogger("load").critical("load: the deadline has passed: every request is answered 503")
    headers = [(b"retry-after", b"60"), (b"content-length", b"19")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b"Service Unavailable"})


@contextmanager
def serving(folder: Path, *, gated: bool, workers: int) -> Iterator[tuple[int, int]]:
    """Yield the port and the process id of uvicorn's parent."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "LOAD_LOG": str(folder / f"log-{gated:d}"),
        "LOAD_GATES": str(folder / "gates"),
        "LOAD_GATED": f"{gated:d}",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    command = [sys.executable, "-m", "uvicorn", "--factory", "gates_load:create_app", "--port", str(port)]
    command += ["--workers", str(workers), "--log-level", "critical"]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


async def drive(port: int, seconds: float) -> list[float]:
    """Latencies of the requests of all connections, in milliseconds."""
    latencies: list[float] = []
    end = time.monotonic() + seconds

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < end:
            started = time.perf_counter()
            writer.write(REQUEST)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(19)
            latencies.append((time.perf_counter() - started) * 1e3)
            assert b" 503 " in head, head
            assert b"retry-after: 60" in head.lower(), head
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return latencies


def resident_megabytes(parent: int) -> float:
    """Of the workers: the processes whose parent it is, or itself if it has none."""
    pids = Path(f"/proc/{parent}/task/{parent}/children").read_text().split() or [str(parent)]
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total / 1024


def run(folder: Path, *, gated: bool, workers: int, seconds: float) -> None:
    with serving(folder, gated=gated, workers=workers) as (port, parent):
        latencies = asyncio.run(drive(port, seconds / 2))
        half_time = resident_megabytes(parent)
        latencies += asyncio.run(drive(port, seconds / 2))
        memory = resident_megabytes(parent)
    latencies.sort()
    log = folder / f"log-{gated:d}"
    lines = sum(b"deadline" in line for line in log.open("rb"))
    served = len(latencies)
    print("with a gate" if gated else "without one")
    print(f"  requests answered 503        {served:>12,}   {served / seconds:,.0f} a second")
    print(f"  lines written                {lines:>12,}   {log.stat().st_size:,} bytes")
    if gated:
        totals = SharedGates(folder / "gates").stats()
        exact = totals.suppressed == served - lines
        print(f"  suppressed and counted       {totals.suppressed:>12,}   requests - lines: {exact}")
    growth = (memory / half_time - 1) * 100
    print(f"  resident memory of workers   {memory:>12,.1f} MB, {growth:+.1f} % since half-time")
    median, tail = (latencies[int(served * share)] for share in (0.5, 0.99))
    print(f"  latency                      {median:>12.2f} ms median, {tail:.2f} ms at 99 %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for gated in (True, False):
            run(Path(folder), gated=gated, workers=options.workers, seconds=options.seconds)


if __name__ == "__main__":
    main()
