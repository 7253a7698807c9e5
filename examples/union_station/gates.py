"""What a flood of errors writes: an API behind a deadline that has passed, and code that logs without end."""

from __future__ import annotations

import logging
import secrets
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from interlock.tenancy import TenantPools, pre_org_resolution_scope
from interlock.web import DeadlineMiddleware, current_org
from union_station.gates_desk import PATIENCE, Desk
from union_station.gates_section import EVENT, section

__all__ = ["add_middleware", "router", "section", "shutdown", "startup"]

router = APIRouter(prefix="/gates", tags=["gates"])
logger = logging.getLogger(__name__)

OrgId = Annotated[UUID, Depends(current_org)]


def add_middleware(app: FastAPI) -> None:
    """Put the old API behind its deadline; the rest of the service has none."""
    desk = app.state.desk = Desk(app.state.settings.gates_file)
    guarded = DeadlineMiddleware(
        PlainTextResponse("the old API still answers"),
        deadline=lambda: desk.deadline_passed,
        event=EVENT,
        # Once over all processes; its audit row is written in the transaction that decides who tells it.
        fire_once=lambda scope: desk.cluster,
        timeout=PATIENCE,
    )

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        desk.refused += desk.deadline_passed
        await guarded(scope, receive, send)

    app.mount("/gates/legacy", counted)


async def startup(app: FastAPI) -> None:
    app.state.open_desk = app.state.desk.open(app.state.pools)
    await app.state.open_desk.__aenter__()


async def shutdown(app: FastAPI) -> None:
    await app.state.open_desk.__aexit__(None, None, None)


@router.post("/deadline", status_code=204)
async def pass_deadline(request: Request) -> None:
    request.app.state.desk.deadline_passed = True


def require_operator(request: Request, x_operator_key: Annotated[str, Header()] = "") -> None:
    """Totals are of all tenants: one who saw them grow would know what another does."""
    expected = request.app.state.settings.operator_key
    if not expected or not secrets.compare_digest(expected.encode(), x_operator_key.encode()):
        raise HTTPException(404)


@router.get("/report", dependencies=[Depends(require_operator)])
async def report(request: Request) -> dict[str, Any]:
    """What came through the gates of this process so far, and what they counted."""
    desk: Desk = request.app.state.desk
    pools: TenantPools = request.app.state.pools
    desk.reporter.report()
    # interlock: ok the rows of the system have no org
    with pre_org_resolution_scope("count the audit rows of the deadline"):
        rows = await pools.fetchval("SELECT count(*) FROM interlock.audit WHERE action = $1 AND org_id IS NULL", EVENT)
    return {
        "refused": desk.refused,
        "answered_without_asking": desk.cluster.suppressed(EVENT),
        "lines": desk.lines.lines,
        "audit_rows": rows,
        "captures": [[event["level"], str(event.get("logger", ""))] for event in desk.sentry.events],
        "summed": desk.summed,
        "metrics": desk.metrics(),
    }


@router.post("/imports/{row}")
async def import_row(request: Request, org_id: OrgId, row: str) -> dict[str, bool]:
    """An import whose every row fails; the row is the attacker's to choose."""
    written = request.app.state.desk.failures.allow(row)
    if written:
        logger.error("import of row %s failed", row[:40])
    return {"written": written}


@router.post("/deliveries", status_code=204)
async def deliver(request: Request, org_id: OrgId) -> None:
    """A delivery that fails in two libraries, each of which says so each time."""
    desk: Desk = request.app.state.desk
    desk.carrier.error("delivery failed", reason="no such street")
    desk.courier.error("delivery to %s failed", org_id)
