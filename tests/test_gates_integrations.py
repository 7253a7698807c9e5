"""Each integration on the real library."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
import sentry_sdk
import structlog
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from interlock.gates import (
    GateFilter,
    Gates,
    ManualClock,
    gate_processor,
    observe_gates,
    sentry_before_send,
)

StartSentry: TypeAlias = Callable[..., list[Any]]


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
    gates: Gates, logger: logging.Logger, start_sentry: StartSentry
) -> None:
    events = start_sentry()
    muted = GateFilter(gates.window("log", 0, 60))
    handler = logging.NullHandler()
    handler.addFilter(muted)
    logger.addHandler(handler)
    logger.critical("down")
    assert len(events) == 1
    logger.removeHandler(handler)
    logger.addFilter(muted)
    logger.critical("down")
    assert len(events) == 1


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


def test_one_sentry_event_an_incident(
    gates: Gates, clock: ManualClock, logger: logging.Logger, start_sentry: StartSentry
) -> None:
    events = start_sentry(before_send=sentry_before_send(gates.window("sentry", 1, 60)))
    for _ in range(3):
        logger.critical("down since %s", "12:00")
        sentry_sdk.capture_message("down since %s")
    assert len(events) == 1
    clock.advance(60)
    logger.critical("down since %s", "12:01")
    assert events[-1]["contexts"]["gate"] == {"event": "sentry", "suppressed_before": 5}


def test_sentry_tells_exceptions_apart_and_asks_the_users_own_hook(gates: Gates, start_sentry: StartSentry) -> None:
    hook = sentry_before_send(
        gates.window("sentry", 1, 60), then=lambda event, _: None if event["level"] == "fatal" else event
    )
    events = start_sentry(before_send=hook)
    for error in (KeyError(1), KeyError(2), OSError(3)):
        try:
            raise error
        except (KeyError, OSError) as caught:
            sentry_sdk.capture_exception(caught)
    sentry_sdk.capture_message("x", level="fatal")
    assert [event["exception"]["values"][-1]["type"] for event in events] == ["KeyError", "OSError"]


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
