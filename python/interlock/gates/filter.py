"""A gate in front of a logger of the standard library.

Attach it to the *logger that emits*. A handler's filter is asked after Sentry has taken the record, and a filter of a
parent logger is not asked at all. Where you write the line yourself, ``if gate.allow(): logger.error(...)`` is much
cheaper still: no record is made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interlock.gates import Gate

# Separates the parts of a key; a message template hardly contains it.
_UNIT_SEPARATOR = "\x1f"


class GateFilter(logging.Filter):
    """Lets a record pass as the gate allows, and tells on the next one what was suppressed before it.

    A record that passes after others were suppressed carries the fields of :meth:`Gate.tag`, and its text ends in
    ``(12,034 suppressed before)``.

    Args:
        gate: decides; the key is its subkey.
        key: makes the key of a record. By default logger, level and message *template*, never the formatted message,
            which an attacker may choose.
        bypass_level: records of this level and above always pass, uncounted.

    """

    def __init__(
        self, gate: Gate, *, key: Callable[[logging.LogRecord], str] | None = None, bypass_level: int | None = None
    ) -> None:
        super().__init__()
        self._gate = gate
        self._key = key or template_key
        self._bypass_level = bypass_level

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record passes."""
        if self._bypass_level is not None and record.levelno >= self._bypass_level:
            return True
        key = self._key(record)
        decision = self._gate.check(key)
        if not decision:
            return False
        record.gate_event = self._gate.event
        record.gate_subkey = key
        record.suppressed_before = decision.suppressed_before
        record.first_suppressed_at = decision.first_suppressed_at
        if decision.suppressed_before:
            # Appended to the template, so that arguments that do not fit it fail where logging expects them to.
            record.msg = f"{record.msg} ({decision.suppressed_before:,} suppressed before)"
        return True


def template_key(record: logging.LogRecord) -> str:
    """Logger, level and message template of a record."""
    return _UNIT_SEPARATOR.join((record.name, record.levelname, str(record.msg)))
