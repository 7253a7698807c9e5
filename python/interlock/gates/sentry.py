"""A gate in front of Sentry: what it denies is not sent, and one incident is one event."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from interlock.gates import Gate

Event: TypeAlias = Any
Hint: TypeAlias = dict[str, Any]
BeforeSend: TypeAlias = Callable[[Event, Hint], Event | None]


def sentry_before_send(
    gate: Gate, *, key: Callable[[Event, Hint], str] | None = None, then: BeforeSend | None = None
) -> BeforeSend:
    """Make a ``before_send`` for ``sentry_sdk.init``.

    ``logger.critical("down")`` beside ``capture_message("down")`` is two events of one incident, since Sentry's
    logging integration captures the line too: both have the same default key, so a gate of one a window sends one.
    An event that passes after others were suppressed has them in the context ``gate``.

    Args:
        gate: decides; the key is its subkey.
        key: makes the key of an event. By default the type and place of the exception, or the message template.
        then: your own ``before_send``, asked about what the gate lets through.

    """
    make_key = key or incident_key

    def before_send(event: Event, hint: Hint) -> Event | None:
        decision = gate.check(make_key(event, hint))
        if not decision:
            return None
        if decision.suppressed_before:
            event.setdefault("contexts", {})["gate"] = {
                "event": gate.event,
                "suppressed_before": decision.suppressed_before,
            }
        return then(event, hint) if then else event

    return before_send


def incident_key(event: Event, hint: Hint) -> str:
    """The type of the exception and the function it was raised in, or the message template."""
    exceptions = (event.get("exception") or {}).get("values") or []
    if exceptions:
        innermost = exceptions[-1]
        frames = (innermost.get("stacktrace") or {}).get("frames") or [{}]
        place = frames[-1]
        return "\x1f".join(str(part) for part in (innermost.get("type"), place.get("module"), place.get("function")))
    entry = event.get("logentry") or {}
    return str(entry.get("message") or event.get("message") or "")
