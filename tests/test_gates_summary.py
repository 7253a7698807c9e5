"""A flood that stops has no next line to carry its count: it is reported all the same, at shutdown too."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from interlock.gates import Gates, ManualClock, SummaryReporter


@pytest.fixture
def gates() -> Gates:
    return Gates(clock=ManualClock())


async def test_summary_of_a_flood_that_stopped_and_at_shutdown(gates: Gates) -> None:
    reported: list[tuple[str, int]] = []
    first = asyncio.Event()

    def emit(suppression: Any, _: float) -> None:
        reported.append((suppression.event, suppression.count))
        first.set()

    gate = gates.window("flood", 1, 60)
    async with SummaryReporter(gates, interval=0.01, emit=emit):
        for _ in range(101):
            gate.allow()
        await first.wait()
        for _ in range(5):
            gate.allow()
    assert reported == [("flood", 100), ("flood", 5)]


def test_summary_line(gates: Gates, caplog: pytest.LogCaptureFixture) -> None:
    gate = gates.window("flood", 0, 60)
    for _ in range(12_034):
        gate.allow("k")
    reporter = SummaryReporter(gates)
    assert reporter.report() == 12_034
    (record,) = caplog.records
    assert record.getMessage() == "flood ['k']: suppressed 12,034 more in 0 s"
    assert record.levelno == logging.ERROR
    assert reporter.report() == 0


async def test_a_report_that_fails_does_not_end_the_reports(gates: Gates, caplog: pytest.LogCaptureFixture) -> None:
    reported = asyncio.Event()
    attempts: list[int] = []

    def emit(suppression: Any, _: float) -> None:
        attempts.append(suppression.count)
        gate.allow()
        if len(attempts) == 1:
            raise OSError("disk full")
        reported.set()

    gate = gates.window("flood", 0, 60)
    gate.allow()
    reporter = SummaryReporter(gates, interval=0.01, emit=emit)
    async with reporter:
        await reported.wait()
    assert "disk full" in caplog.text


def test_what_could_not_be_reported_comes_with_the_next_report(gates: Gates) -> None:
    gate = gates.window("flood", 0, 60)
    broken, reported = ["b"], []

    def emit(suppression: Any, _: float) -> None:
        if suppression.subkey in broken:
            raise OSError("disk full")
        reported.append((suppression.subkey, suppression.count))

    reporter = SummaryReporter(gates, emit=emit)
    for key in ("a", "b", "c"):
        gate.allow(key)
    for _ in range(2):
        with pytest.raises(OSError, match="disk full"):
            reporter.report()
        gate.allow("a")
    broken.clear()
    assert reporter.report() == 4
    assert reported == [("a", 1), ("b", 1), ("c", 1), ("a", 2)]


def test_an_interval_must_be_positive(gates: Gates) -> None:
    with pytest.raises(ValueError, match="interval"):
        SummaryReporter(gates, interval=0)


SERVICE = """
import os, sys
from contextlib import asynccontextmanager
from interlock.gates import Gates, SummaryReporter

gates = Gates()
gate = gates.window("flood", 1, 3600)

def emit(suppression, elapsed):
    with open(os.environ["REPORTS"], "a") as file:
        print(suppression.event, suppression.count, file=file)

reporter = SummaryReporter(gates, interval=3600, emit=emit)

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await reporter.__aenter__()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await reporter.__aexit__()
        await send({"type": "lifespan.shutdown.complete"})
        return
    gate.allow()
    await send({"type": "http.response.start", "status": 503, "headers": []})
    await send({"type": "http.response.body", "body": b""})
"""


def test_summary_at_the_reload_and_the_shutdown_of_uvicorn(tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text(SERVICE)
    reports = tmp_path / "reports"
    reports.touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "service:app", "--reload", "--port", "0", "--reload-delay", "0.05"],
        cwd=tmp_path,
        env={**os.environ, "REPORTS": str(reports), "PYTHONUNBUFFERED": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        address = ""
        for rounds in range(2):
            for line in process.stderr:
                if "running on" in line:
                    address = line.split("running on ")[1].split()[0]
                if "startup complete" in line:
                    break
            for _ in range(10):
                assert httpx.get(address).status_code == 503
            if rounds == 0:
                (tmp_path / "service.py").write_text(SERVICE + "\n# changed\n")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    finally:
        process.poll() is None and os.killpg(process.pid, signal.SIGKILL)
    assert reports.read_text().split("\n") == ["flood 9", "flood 9", ""]


SCRIPT = """
import logging
from interlock.gates import Gates, SummaryReporter

logging.basicConfig(format="%(levelname)s %(message)s")
gates = Gates()
gate = gates.window("flood", 1, 3600)
SummaryReporter(gates, level=logging.WARNING).start_at_exit()
for _ in range(12_035):
    gate.allow("k")
{end}
"""


@pytest.mark.parametrize("end", ["", "raise SystemExit(3)", "raise OSError"], ids=["ends", "exits", "fails"])
def test_a_script_that_ends_reports_what_it_suppressed(end: str) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(end=end)], capture_output=True, text=True, check=False)
    assert "WARNING flood ['k']: suppressed 12,034 more in " in done.stderr
