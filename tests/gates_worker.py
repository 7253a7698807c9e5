"""One process of a service on several: does what each line of its standard input says, and answers with one line.

Run: ``python gates_worker.py TENANT_DSN ADMIN_DSN``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import sentry_sdk
from sentry_sdk.transport import Transport
from starlette.responses import PlainTextResponse

from interlock.gates import ClusterFireOnce
from interlock.tenancy import create_tenant_pools
from interlock.web import DeadlineMiddleware

EVENT = "sunset"
PATIENCE = 60  # a busy machine is no database that is away


captured: list[str] = []
logged: list[str] = []
said: list[str] = []


class Captured(Transport):
    """Keeps the levels of what would have been sent."""

    def capture_envelope(self, envelope: Any) -> None:
        if (event := envelope.get_event()) is not None:
            captured.append(event["level"])


class Kept(logging.Handler):
    """Keeps one field of each record."""

    def __init__(self, records: list[str], field: Callable[[logging.LogRecord], str]) -> None:
        super().__init__()
        self.records, self.field = records, field

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(self.field(record))


class Worker:
    def __init__(self, cluster: ClusterFireOnce) -> None:
        self.cluster = cluster
        self.app = DeadlineMiddleware(
            PlainTextResponse("served"),
            deadline=datetime(2020, 1, 1, tzinfo=UTC),
            event=EVENT,
            fire_once=cluster,
            timeout=PATIENCE,
        )

    async def requests(self, number: str) -> dict[str, Any]:
        """So many requests at once, after the deadline."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://test") as http:
            answers = await asyncio.gather(*(http.get("/") for _ in range(int(number))))
        statuses = sorted({answer.status_code for answer in answers})
        return {"statuses": statuses, "captured": captured, "logged": logged}

    async def fire(self, key: str) -> bool:
        return await self.cluster.fire(key)

    async def fire_until_won(self, key: str) -> bool:
        while not await self.cluster.fire(key):  # noqa: ASYNC110 - the other process tells nobody
            await asyncio.sleep(0.05)
        return True

    async def fire_until_asked(self, key: str) -> bool:
        """Until PostgreSQL has been asked without an error; whether it was ever won meanwhile."""
        won = False
        while "fire-once: PostgreSQL answers again" not in " ".join(said):
            won |= await self.cluster.fire(key)
            await asyncio.sleep(0.05)
        return won

    async def win_and_hold(self, key: str) -> None:
        """Win, say so, and stay in the body until told to fail."""
        try:
            async with self.cluster.transition(key) as turn:
                print(json.dumps(bool(turn)), flush=True)
                await turn.write_audit(action="held")
                await asyncio.to_thread(sys.stdin.readline)
                raise ConnectionError
        except ConnectionError:
            pass

    async def said(self, _: str) -> list[str]:
        return said


async def main(tenant_dsn: str, admin_dsn: str) -> None:
    sentry_sdk.init(transport=Captured(), auto_enabling_integrations=False)
    logging.getLogger("interlock.web.deadline").addHandler(Kept(logged, lambda record: record.levelname))
    logging.getLogger("interlock.gates.cluster").addHandler(Kept(said, logging.LogRecord.getMessage))
    async with create_tenant_pools(tenant_dsn, admin_dsn, min_size=0, max_size=2) as pools:
        # Asks again soon, so that a test need not wait.
        worker = Worker(ClusterFireOnce(pools, timeout=PATIENCE, recheck=0.1))
        print(json.dumps("ready"), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            act, argument = line.split()
            print(json.dumps(await getattr(worker, act)(argument)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
