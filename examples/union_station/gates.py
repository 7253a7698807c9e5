"""What a flood of errors writes: an API behind a deadline that has passed, and tenants that log without end."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

import sentry_sdk
from fastapi import APIRouter, Depends, FastAPI, Request
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from interlock.gates import Gate, Gates
from interlock.tenancy import TenantPools, pre_org_resolution_scope
from interlock.web import DeadlineMiddleware, current_org
from union_station.section import Client, Figure, Org, Section

router = APIRouter(prefix="/gates", tags=["gates"])
logger = logging.getLogger(__name__)

OrgId = Annotated[UUID, Depends(current_org)]

EVENT = "legacy-api.deadline"
LINES_PER_KEY, WINDOW_SECONDS, BUDGET = 2, 3600, 10


class CapturedEvents(Transport):
    """Stands where Sentry's network would be, and keeps what would have been sent."""

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        super().__init__(options)
        self.events: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        if (event := envelope.get_event()) is not None:
            self.events.append(dict(event))


class CountedLines(logging.Handler):
    """Counts the lines that reach the log, by their template."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines[str(record.msg)] += 1


@dataclass
class Desk:
    """The gates of the service, and what came through them."""

    gates: Gates = field(default_factory=Gates)
    deadline_passed: bool = False
    refused: int = 0
    lines: CountedLines = field(default_factory=CountedLines)
    sentry: CapturedEvents = field(default_factory=CapturedEvents)

    def __post_init__(self) -> None:
        self.failures: Gate = self.gates.window(
            "import.failed",
            LINES_PER_KEY,
            WINDOW_SECONDS,
            event_budget=(BUDGET, WINDOW_SECONDS),
            per_tenant=True,
        )


def add_middleware(app: FastAPI) -> None:
    """Put the old API behind its deadline; the rest of the service has none."""
    desk = app.state.desk = Desk()
    guarded = DeadlineMiddleware(
        PlainTextResponse("the old API still answers"),
        deadline=lambda: desk.deadline_passed,
        event=EVENT,
        pools=lambda scope: scope["app"].state.pools,
        fire_once=desk.gates.fire_once(EVENT),
    )

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        desk.refused += desk.deadline_passed
        await guarded(scope, receive, send)

    app.mount("/gates/legacy", counted)


async def startup(app: FastAPI) -> None:
    desk: Desk = app.state.desk
    sentry_sdk.init(transport=desk.sentry, auto_enabling_integrations=False)
    logging.getLogger("interlock.web.deadline").addHandler(desk.lines)
    logger.addHandler(desk.lines)


async def shutdown(app: FastAPI) -> None:
    desk: Desk = app.state.desk
    logging.getLogger("interlock.web.deadline").removeHandler(desk.lines)
    logger.removeHandler(desk.lines)
    sentry_sdk.get_client().close(timeout=0)


@router.post("/deadline", status_code=204)
async def pass_deadline(request: Request) -> None:
    request.app.state.desk.deadline_passed = True


@router.get("/deadline")
async def deadline_report(request: Request) -> dict[str, Any]:
    """What the deadline has written so far."""
    desk: Desk = request.app.state.desk
    pools: TenantPools = request.app.state.pools
    # interlock: ok the rows of the system have no org
    with pre_org_resolution_scope("count the audit rows of the deadline"):
        rows = await pools.fetchval("SELECT count(*) FROM interlock.audit WHERE action = $1 AND org_id IS NULL", EVENT)
    totals = desk.gates.stats().events[EVENT]
    return {
        "refused": desk.refused,
        "lines": sum(count for template, count in desk.lines.lines.items() if "deadline" in template),
        "suppressed": totals.suppressed,
        "audit_rows": rows,
        "captures": [event["level"] for event in desk.sentry.events if event.get("message") == EVENT],
    }


@router.post("/imports/{row}")
async def import_row(request: Request, org_id: OrgId, row: str) -> dict[str, bool]:
    """An import whose every row fails; the row is the attacker's to choose."""
    failures: Gate = request.app.state.desk.failures
    written = failures.allow(row)
    if written:
        logger.error("import of row %s failed", row[:40])
    return {"written": written}


# --- what the demonstration drives and shows

REQUESTS, TENANT_REQUESTS, UNIQUE_ROWS, AT_ONCE = 2900, 100, 100, 32


async def section(client: Client) -> Section:
    """Pass the deadline and hammer on it; then let one tenant flood the log, and see what another may write."""
    org, noisy, quiet = await asyncio.gather(*(client.create_org(f"Gates {number}") for number in range(3)))
    before = (await client.http.get("/gates/legacy/orders")).status_code
    (await client.http.post("/gates/deadline")).raise_for_status()
    client.progress(f"{REQUESTS + TENANT_REQUESTS} requests after the deadline")
    # The first ones come from inside a tenant: the audit row is the system's all the same.
    statuses = await _hammer(client, TENANT_REQUESTS, client.headers(org))
    statuses += await _hammer(client, REQUESTS, {})
    report = (await client.http.get("/gates/deadline")).json()
    client.progress(f"{UNIQUE_ROWS} different failures of one tenant")
    flood = [await _import(client, noisy, f"row-{number}") for number in range(UNIQUE_ROWS)]
    other = [await _import(client, quiet, "row-1") for _ in range(3)]
    asked = REQUESTS + TENANT_REQUESTS
    refused = statuses[503]
    return Section(
        title="Gates: one line instead of eight million",
        figures=[
            Figure("old API before its deadline: status", before, ok=before == 200),
            Figure("requests after it, all answered 503", refused, ok=refused == asked == report["refused"]),
            Figure("lines that a logger without a gate would have written", refused),
            Figure("lines written", report["lines"], ok=report["lines"] == 1),
            Figure("lines suppressed and counted", report["suppressed"], ok=report["suppressed"] == asked - 1),
            Figure("audit rows, written from inside a tenant", report["audit_rows"], ok=report["audit_rows"] == 1),
            Figure("captures by Sentry", len(report["captures"]), ok=report["captures"] == ["fatal"]),
            Figure(
                f"lines of a tenant with {UNIQUE_ROWS} different failures (its budget is {BUDGET})",
                sum(flood),
                ok=sum(flood) == BUDGET,
            ),
            Figure(
                f"lines of its quiet neighbour out of 3 (the limit is {LINES_PER_KEY})",
                sum(other),
                ok=other == [True, True, False],
            ),
        ],
    )


async def _hammer(client: Client, requests: int, headers: dict[str, str]) -> Counter[int]:
    limit = asyncio.Semaphore(AT_ONCE)

    async def one() -> int:
        async with limit:
            return (await client.http.get("/gates/legacy/orders", headers=headers)).status_code

    return Counter(await asyncio.gather(*(one() for _ in range(requests))))


async def _import(client: Client, org: Org, row: str) -> bool:
    answer = await client.http.post(f"/gates/imports/{row}", headers=client.headers(org))
    answer.raise_for_status()
    return bool(answer.json()["written"])
