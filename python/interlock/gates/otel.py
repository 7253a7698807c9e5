"""OpenTelemetry metrics: how much each event emitted and had suppressed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from opentelemetry.metrics import CallbackOptions, Meter, Observation, get_meter

if TYPE_CHECKING:
    from interlock.gates import Gates


def observe_gates(gates: Gates, *, meter: Meter | None = None) -> None:
    """Report ``interlock.gates.emitted`` and ``interlock.gates.suppressed``, with the event as attribute.

    The instruments are observable counters: a collection reads the table, a gate pays nothing. Subkeys are no
    attributes, since whoever chooses them would choose the cardinality.

    Args:
        gates: the table to report; ``default_gates()`` for the module-level functions.
        meter: where to create the instruments; by default the global meter ``interlock.gates``.

    """
    meter = meter or get_meter("interlock.gates")

    def emitted(_: CallbackOptions) -> Iterable[Observation]:
        return [Observation(totals.emitted, {"event": event}) for event, totals in gates.stats().events.items()]

    def suppressed(_: CallbackOptions) -> Iterable[Observation]:
        return [Observation(totals.suppressed, {"event": event}) for event, totals in gates.stats().events.items()]

    meter.create_observable_counter(
        "interlock.gates.emitted", [emitted], unit="{emission}", description="Emissions that gates allowed"
    )
    meter.create_observable_counter(
        "interlock.gates.suppressed", [suppressed], unit="{emission}", description="Emissions that gates suppressed"
    )
