"""Each integration on the real library."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
import structlog
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from interlock.gates import (
    GateFilter,
    Gates,
    ManualClock,
    SummaryReporter,
    gate_processor,
    observe_gates,
    sentry_before_send,
)


class Captured(Transport):
    def __init__(self, options: dict[str, Any] | None = None) -> None:
        super().__init__(options)
        self.events: list[Any] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        if (event := envelope.get_event()) is not None:
            self.events.append(event)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def gates(clock: ManualClock) -> Gates:
    return Gates(clock=clock)


@pytest.fixture
def logger(request: pytest.FixtureRequest) -> Iterator[logging.Logger]:
    logger = logging.getLogger(f"tests.{request.node.name}")
    yield logger
    logger.filters.clear()


@pytest.fixture
def sentry() -> Iterator[Captured]:
    transport = Captured()
    sentry_sdk.init(transport=transport, auto_enabling_integrations=False)
    yield transport
    sentry_sdk.init()


# --- logging


def test_filter_keys_by_template_and_tells_what_was_suppressed(
    gates: Gates, clock: ManualClock, logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    logger.addFilter(GateFilter(gates.window("log", 1, 60)))
    for number in range(5):
        logger.error("request %d failed", number)
        logger.warning("request %d failed", number)
    assert [record.getMessage() for record in caplog.records] == ["request 0 failed"] * 2
    clock.advance(60)
    logger.error("request %d failed", 99)
    last = caplog.records[-1]
    assert last.getMessage() == "request 99 failed (4 suppressed before)"
    assert vars(last)["suppressed_before"] == 4
    assert vars(last)["gate_event"] == "log"


def test_filter_leaves_bad_arguments_to_logging(
    gates: Gates, clock: ManualClock, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger.addFilter(GateFilter(gates.window("log", 1, 60)))
    handler = logging.StreamHandler(io.StringIO())
    logger.addHandler(handler)
    logger.propagate = False
    for pause in (0, 0, 60):
        clock.advance(pause)
        logger.error("two %s %s", "one")
    logger.removeHandler(handler)


def test_filter_with_a_key_and_a_bypass(
    gates: Gates, logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    gate = gates.window("log", 1, 60)
    logger.addFilter(GateFilter(gate, key=lambda record: record.name, bypass_level=logging.CRITICAL))
    for message in ("a", "b", "c"):
        logger.error(message)
        logger.critical(message)
    assert [record.getMessage() for record in caplog.records] == ["a", "a", "b", "c"]
    assert gate.suppressed(logger.name) == 2


def test_only_a_filter_on_the_emitting_logger_keeps_sentry_quiet(
    gates: Gates, logger: logging.Logger, sentry: Captured
) -> None:
    muted = GateFilter(gates.window("log", 0, 60))
    handler = logging.NullHandler()
    handler.addFilter(muted)
    logger.addHandler(handler)
    logger.critical("down")
    assert len(sentry.events) == 1
    logger.removeHandler(handler)
    logger.addFilter(muted)
    logger.critical("down")
    assert len(sentry.events) == 1


# --- structlog


def test_structlog_drops_and_tells(gates: Gates, clock: ManualClock) -> None:
    written: list[dict[str, Any]] = []

    def write(_: Any, __: str, event_dict: Any) -> Any:
        written.append(dict(event_dict))
        raise structlog.DropEvent

    log = structlog.wrap_logger(None, processors=[gate_processor(gates.window("log", 1, 60)), write])
    for number in range(4):
        log.error("failed", number=number)
        log.info("failed", number=number)
    clock.advance(60)
    log.error("failed", number=9)
    assert written == [
        {"event": "failed", "number": 0},
        {"event": "failed", "number": 0},
        {"event": "failed", "number": 9, "suppressed_before": 3},
    ]


def test_structlog_with_a_key(gates: Gates) -> None:
    written: list[str] = []

    def write(_: Any, __: str, event_dict: Any) -> Any:
        written.append(event_dict["event"])
        raise structlog.DropEvent

    gate = gate_processor(gates.window("log", 1, 60), key=lambda _, event: event["host"])
    log = structlog.wrap_logger(None, processors=[gate, write])
    for host in "aab":
        log.error(host, host=host)
    assert written == ["a", "b"]


# --- Sentry


def test_one_sentry_event_an_incident(gates: Gates, clock: ManualClock, logger: logging.Logger) -> None:
    transport = Captured()
    gate = gates.window("sentry", 1, 60)
    sentry_sdk.init(transport=transport, auto_enabling_integrations=False, before_send=sentry_before_send(gate))
    for _ in range(3):
        logger.critical("down since %s", "12:00")
        sentry_sdk.capture_message("down since %s")
    assert len(transport.events) == 1
    clock.advance(60)
    logger.critical("down since %s", "12:01")
    assert transport.events[-1]["contexts"]["gate"] == {"event": "sentry", "suppressed_before": 5}
    sentry_sdk.init()


def test_sentry_tells_exceptions_apart_and_asks_the_users_own_hook(gates: Gates) -> None:
    transport = Captured()
    hook = sentry_before_send(
        gates.window("sentry", 1, 60), then=lambda event, _: None if event["level"] == "fatal" else event
    )
    sentry_sdk.init(transport=transport, auto_enabling_integrations=False, before_send=hook)
    for error in (KeyError(1), KeyError(2), OSError(3)):
        try:
            raise error
        except (KeyError, OSError) as caught:
            sentry_sdk.capture_exception(caught)
    sentry_sdk.capture_message("x", level="fatal")
    assert [event["exception"]["values"][-1]["type"] for event in transport.events] == ["KeyError", "OSError"]
    sentry_sdk.init()


# --- OpenTelemetry


def test_metrics_of_emitted_and_suppressed(gates: Gates) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    observe_gates(gates, meter=provider.get_meter("test"))
    gate = gates.window("flood", 2, 60)
    for _ in range(7):
        gate.allow("k")
    gates.drain()
    for _ in range(3):
        gate.allow("k")
    assert points(reader) == {("interlock.gates.emitted", "flood"): 2, ("interlock.gates.suppressed", "flood"): 8}
    provider.shutdown()


def points(reader: InMemoryMetricReader) -> dict[tuple[str, str], int]:
    data = reader.get_metrics_data()
    assert data is not None
    return {
        (metric.name, point.attributes["event"]): point.value
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }


# --- summaries


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
    import httpx

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
