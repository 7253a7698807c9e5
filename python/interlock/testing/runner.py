"""The one event loop of a harness: the application's pools live on it from start-up to shutdown."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from contextvars import Context
from typing import Any, TypeVar

from interlock.errors import HarnessError

T = TypeVar("T")


class SessionLoop:
    """An event loop on a thread of its own, so that properties stay synchronous wherever they are called from.

    A test under pytest-asyncio or anyio already runs inside a loop, which cannot be entered again; and both share
    one context between the examples of a property, which would carry a tenant from one example into the next.
    """

    def __init__(self) -> None:
        self._started: Future[asyncio.AbstractEventLoop] = Future()
        self._closed = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="interlock-isolation", daemon=True)
        self._thread.start()
        self._loop = self._started.result()

    def _serve(self) -> None:
        # Worker threads belong to the task that the loop runs for: with one, as in a server, requests take turns on
        # the same threads, and what one leaves in a thread is there for the next.
        with asyncio.Runner() as runner:
            runner.run(self._wait())

    async def _wait(self) -> None:
        self._started.set_result(asyncio.get_running_loop())
        while not self._closed.is_set():
            with suppress(asyncio.CancelledError):  # of an application that cancels every task it finds
                await self._closed.wait()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in a task with an empty context and wait for its result.

        Raises:
            HarnessError: the application cancelled the task.

        """
        outcome: Future[T] = Future()

        def begin() -> None:
            task = self._loop.create_task(coroutine, context=Context())
            task.add_done_callback(lambda done: _copy(done, outcome))

        self._loop.call_soon_threadsafe(begin)
        return outcome.result()

    def close(self) -> None:
        """Stop the loop and wait for its thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closed.set)
            self._thread.join()


def _copy(task: asyncio.Task[T], outcome: Future[T]) -> None:
    if task.cancelled():
        outcome.set_exception(
            HarnessError(
                "the application cancelled the harness: somewhere it cancels every task of asyncio.all_tasks(), those "
                "of its server included; let it keep the tasks that it starts, and cancel these"
            )
        )
    elif (error := task.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())
