"""A gate in front of structlog."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias

from structlog import DropEvent

if TYPE_CHECKING:
    from interlock.gates import Gate

EventDict: TypeAlias = MutableMapping[str, Any]
Processor: TypeAlias = Callable[[Any, str, EventDict], EventDict]


def gate_processor(gate: Gate, *, key: Callable[[str, EventDict], str] | None = None) -> Processor:
    """Make a processor that drops events as the gate denies; put it first, so that nothing else is done for them.

    An event that passes after others were suppressed carries ``suppressed_before``.

    Args:
        gate: decides; the key is its subkey.
        key: makes the key from the method's name and the event dictionary. By default the method's name and the
            ``event``, which in structlog is a constant.

    """
    make_key = key or _method_and_event

    def processor(_: Any, method: str, event_dict: EventDict) -> EventDict:
        decision = gate.check(make_key(method, event_dict))
        if not decision:
            raise DropEvent
        if decision.suppressed_before:
            event_dict["suppressed_before"] = decision.suppressed_before
        return event_dict

    return processor


def _method_and_event(method: str, event_dict: EventDict) -> str:
    return f"{method}\x1f{event_dict.get('event', '')}"
