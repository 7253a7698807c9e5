"""Says from time to time how much was suppressed, also when the flood has stopped and when the process ends."""

from __future__ import annotations

import asyncio
import atexit
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Self, TypeAlias

if TYPE_CHECKING:
    from interlock.gates import Gates, Suppression

Report: TypeAlias = "Callable[[Suppression, float], object]"

logger = logging.getLogger(__name__)


class SummaryReporter:
    """Drains a table every ``interval`` seconds and reports each key: ``suppressed 12,034 more in 60 s``.

    ``async with SummaryReporter(gates):`` in the lifespan reports while the service runs and once more when it shuts
    down, as under uvicorn's reload. In synchronous code, call :meth:`start_at_exit`, and :meth:`report` as often as
    you like. There is no thread.

    Args:
        gates: the table to drain; ``default_gates()`` for the module-level functions.
        interval: seconds between reports.
        level: of the lines; that of the lines that were suppressed, so that no configuration hides the one and shows
            the other.
        emit: called with each :class:`Suppression` and the seconds it spans, instead of logging.

    """

    def __init__(
        self, gates: Gates, *, interval: float = 60.0, level: int = logging.ERROR, emit: Report | None = None
    ) -> None:
        if not interval > 0:
            raise ValueError(f"interval must be more than 0 seconds, got {interval}")
        self._gates = gates
        self._interval = interval
        self._level = level
        self._emit = emit or self._log
        self._last = time.monotonic()
        self._drained: deque[tuple[Suppression, float]] = deque()
        self._task: asyncio.Task[None] | None = None

    def report(self) -> int:
        """Report what was suppressed since the last report; how many emissions that were.

        If ``emit`` raises, so does this; that suppression and those after it come with the next report.
        """
        now = time.monotonic()
        elapsed, self._last = now - self._last, now
        # First what could not be reported: until it can, the rest stays in the table, which is bounded.
        reported = self._emit_drained()
        self._drained.extend((suppression, elapsed) for suppression in self._gates.drain())
        return reported + self._emit_drained()

    def _emit_drained(self) -> int:
        reported = 0
        while self._drained:
            suppression, elapsed = self._drained[0]
            self._emit(suppression, elapsed)
            self._drained.popleft()
            reported += suppression.count
        return reported

    def start_at_exit(self) -> Self:
        """Report once more when the interpreter exits."""
        atexit.register(self.report)
        return self

    async def __aenter__(self) -> Self:
        self.start_at_exit()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        atexit.unregister(self.report)
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self.report()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                self.report()
            except Exception:
                # It stays for the next report, which must come all the same.
                logger.exception("a summary of suppressed lines could not be reported")

    def _log(self, suppression: Suppression, elapsed: float) -> None:
        name = suppression.event if suppression.subkey is None else f"{suppression.event} [{suppression.subkey!r}]"
        logger.log(self._level, "%s: suppressed %s more in %.0f s", name, f"{suppression.count:,}", elapsed)
