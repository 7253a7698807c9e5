"""The gates of the service, one table for all its processes, and the sinks behind them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import sentry_sdk
import structlog
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from interlock.gates import (
    ClusterFireOnce,
    GateFilter,
    Gates,
    SharedGates,
    SummaryReporter,
    Suppression,
    gate_processor,
    observe_gates,
    sentry_before_send,
)
from interlock.tenancy import TenantPools

HOUR, PATIENCE = 3600, 30
LINES_PER_KEY, BUDGET = 2, 10
CARRIER_LINES, COURIER_LINES = 3, 1


class CapturedEvents(Transport):
    """Stands where Sentry's network would be, and keeps what would have been sent."""

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        super().__init__(options)
        self.events: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        if (event := envelope.get_event()) is not None:
            self.events.append(dict(event))


class CountedLines(logging.Handler):
    """Counts the lines that reach the log, by logger."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines[record.name.rpartition(".")[2]] += 1


class Desk:
    """What the gates of one process let through."""

    LOGGERS = ("interlock.web.deadline", "union_station.gates", "union_station.carrier", "union_station.courier")

    def __init__(self, gates_file: str) -> None:
        self.gates = SharedGates(gates_file) if gates_file else Gates()
        self.deadline_passed = False
        self.refused = 0
        self.lines, self.sentry, self.summed = CountedLines(), CapturedEvents(), Counter[str]()
        # Our own code asks before it makes the line. The key is the attacker's to choose, so there is a budget.
        self.failures = self.gates.window(
            "import.failed", LINES_PER_KEY, HOUR, event_budget=(BUDGET, HOUR), per_tenant=True
        )
        # Code that we do not write has a processor or a filter in front of its logger.
        self.carrier = structlog.wrap_logger(
            logging.getLogger("union_station.carrier"),
            processors=[
                gate_processor(self.gates.window("carrier", CARRIER_LINES, HOUR)),
                structlog.processors.KeyValueRenderer(key_order=["event"]),
            ],
        )
        self.courier = logging.getLogger("union_station.courier")
        self._filter = GateFilter(self.gates.window("courier", COURIER_LINES, HOUR))
        self.reporter = SummaryReporter(self.gates, emit=self._sum)
        self._reader = InMemoryMetricReader()

    @asynccontextmanager
    async def open(self, pools: TenantPools) -> AsyncIterator[None]:
        """Connect the sinks for as long as the block lasts."""
        # A slow machine is no database that is away, and nobody resets this deadline in another process.
        self.cluster = ClusterFireOnce(pools, recheck=HOUR, timeout=PATIENCE)
        meters = MeterProvider(metric_readers=[self._reader])
        observe_gates(self.gates, meter=meters.get_meter("union_station"))
        sentry_sdk.init(
            transport=self.sentry,
            auto_enabling_integrations=False,
            before_send=sentry_before_send(self.gates.window("sentry", 1, HOUR)),
        )
        self.courier.addFilter(self._filter)
        for name in self.LOGGERS:
            logging.getLogger(name).addHandler(self.lines)
        try:
            async with self.reporter:
                yield
        finally:
            for name in self.LOGGERS:
                logging.getLogger(name).removeHandler(self.lines)
            self.courier.removeFilter(self._filter)
            sentry_sdk.get_client().close(timeout=0)
            meters.shutdown()

    def metrics(self) -> dict[str, dict[str, int]]:
        """What OpenTelemetry collects: emitted and suppressed of each event."""
        collected: dict[str, dict[str, int]] = {}
        data = self._reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                for point in metric.data.data_points:
                    event = str((point.attributes or {})["event"])
                    collected.setdefault(event, {})[metric.name.rpartition(".")[2]] = point.value  # type: ignore[union-attr]
        return collected

    def _sum(self, suppression: Suppression, seconds: float) -> None:
        self.summed[suppression.event] += suppression.count
