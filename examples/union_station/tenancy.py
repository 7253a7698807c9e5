"""Work that stands outside a request, or tries to: start-up, a daemon, and the mistakes that scopes refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Request

from interlock.audit import write_system_audit, write_tenant_audit
from interlock.tenancy import (
    TenantInvariantError,
    TenantPools,
    pre_org_resolution_scope,
    tenant_scope,
)
from interlock.web import current_org
from union_station.section import Client, Figure, Org, Section

router = APIRouter(prefix="/tenancy", tags=["tenancy"])

OrgId = Annotated[UUID, Depends(current_org)]

TICK_SECONDS = 0.5

Attempt = Callable[[], Awaitable[object]]


@dataclass
class Station:
    """What start-up and the daemon have seen; the daemon's counts by org."""

    startup_refused: str
    startup_orgs: int
    daemon_refused: str = ""
    notes: dict[UUID, int] = field(default_factory=dict)
    daemon: asyncio.Task[None] | None = None


async def startup(app: FastAPI) -> None:
    """Look at the orgs the wrong way, which is refused, and the right way; then start the daemon."""
    pools: TenantPools = app.state.pools
    refused = await _refusal(lambda: pools.fetchval("SELECT count(*) FROM orgs"))
    with pre_org_resolution_scope("start-up: count the orgs"):
        orgs = await pools.fetchval("SELECT count(*) FROM orgs")
    await write_system_audit(pools, action="service.started", details={"orgs": orgs})
    app.state.station = Station(startup_refused=refused, startup_orgs=orgs)
    app.state.station.daemon = asyncio.create_task(_run_daemon(pools, app.state.station))


async def shutdown(app: FastAPI) -> None:
    """Stop the daemon."""
    daemon = app.state.station.daemon
    daemon.cancel()
    await asyncio.gather(daemon, return_exceptions=True)


async def _run_daemon(pools: TenantPools, station: Station) -> None:
    while True:
        await tick(pools, station)
        await asyncio.sleep(TICK_SECONDS)


async def tick(pools: TenantPools, station: Station) -> None:
    """One round over all orgs: find them across tenants, then work in the scope of one at a time."""
    # interlock: ok it shows that the acquire is refused
    station.daemon_refused = await _refusal(lambda: pools.fetch("SELECT org_id FROM notes"))
    with pre_org_resolution_scope("daemon: find the orgs to visit"):
        orgs = [row["org_id"] for row in await pools.fetch("SELECT org_id FROM orgs")]
        for org in orgs:
            with tenant_scope(org):
                station.notes[org] = await pools.fetchval("SELECT count(*) FROM notes")


async def _refusal(attempt: Attempt) -> str:
    """The error that an attempt ends in, as its class and text; empty if it was let through."""
    try:
        await attempt()
    except TenantInvariantError as error:
        return f"{type(error).__name__}: {error}"
    return ""


@router.get("/rows")
async def rows(request: Request, org_id: OrgId) -> dict[str, Any]:
    """Every note that the database lets this request see, by the org the row itself names."""
    async with request.app.state.pools.transaction() as connection:
        notes = await connection.fetch("SELECT org_id, title FROM notes ORDER BY created_at, id")
        await write_tenant_audit(connection, action="rows.read", subject=str(org_id))
    return {"rows": [dict(note) for note in notes]}


@router.get("/unscoped")
async def unscoped(request: Request) -> dict[str, str]:
    """Acquire without a scope, as a request without an API key would."""
    pools: TenantPools = request.app.state.pools
    loop = asyncio.get_running_loop()
    # A thread of its own has no context: what it starts belongs to nobody.
    # interlock: ok it shows that the acquire is refused
    refused = await loop.run_in_executor(None, lambda: asyncio.run(_refusal(lambda: pools.fetch("SELECT 1"))))
    return {"refused": refused}


@router.get("/escalation")
async def escalation(request: Request, org_id: OrgId) -> dict[str, str]:
    """Reach for all tenants from inside one."""

    async def reach() -> object:
        # interlock: ok it shows that the escalation is refused
        with pre_org_resolution_scope("a handler that wants to see everything"):
            return await request.app.state.pools.fetch("SELECT * FROM notes")

    return {"refused": await _refusal(reach), "refused_in_a_task": await asyncio.create_task(_refusal(reach))}


@router.get("/other-org")
async def other_org(request: Request, org_id: OrgId) -> dict[str, str]:
    """Enter another tenant from inside one."""

    async def enter() -> object:
        with tenant_scope(UUID(int=org_id.int ^ 1)):
            return await request.app.state.pools.fetch("SELECT * FROM notes")

    return {"refused": await _refusal(enter)}


@router.get("/after-the-request")
async def kept_connection(request: Request, org_id: OrgId) -> dict[str, str]:
    """Keep a connection beyond its scope and use it there."""
    pools: TenantPools = request.app.state.pools
    with tenant_scope(org_id):
        connection = await pools.acquire()
    try:
        return {"refused": await _refusal(lambda: connection.fetch("SELECT * FROM notes"))}
    finally:
        await pools.release(connection)


@router.get("/daemon")
async def daemon(request: Request, org_id: OrgId) -> dict[str, Any]:
    """What start-up and the daemon report to this org: the refusals, and its own count."""
    station: Station = request.app.state.station
    return {
        "startup_refused": station.startup_refused,
        "daemon_refused": station.daemon_refused,
        "notes": station.notes.get(org_id),
        "mode": request.app.state.pools.stats().mode,
    }


# --- what the demonstration drives and shows

ORGS, NOTES, REQUESTS = 20, 3, 600


async def section(client: Client) -> Section:
    """Drive many orgs at once through a small pool, then every mistake that a scope refuses."""
    orgs = await asyncio.gather(*(client.create_org(f"Tenancy {number}") for number in range(ORGS)))
    await asyncio.gather(*(_add_notes(client, org) for org in orgs))
    client.progress(f"{REQUESTS} concurrent requests of {ORGS} orgs")
    foreign, missing = await _concurrent_reads(client, orgs)
    refusals = await _refusals(client, orgs[0])
    counted = await _counted_by_daemon(client, orgs[0])
    report = await _get(client, orgs[0], "/tenancy/daemon")
    return Section(
        title="Tenancy: one scope, two login roles",
        figures=[
            Figure(f"concurrent requests of {ORGS} orgs over at most 4 connections ({report['mode']} mode)", REQUESTS),
            Figure("rows seen by the wrong org", foreign, ok=foreign == 0),
            Figure("requests that missed rows of their own", missing, ok=missing == 0),
            *(Figure(label, _outcome(text, error), ok=text.startswith(error)) for label, error, text in refusals),
            Figure("daemon: rows counted in one org's own scope", counted, ok=counted == NOTES),
        ],
        transcript=[f"{label}: {text}" for label, _, text in refusals],
    )


def _outcome(text: str, error: str) -> str:
    return error if text.startswith(error) else text or "let through"


async def _get(client: Client, org: Org, path: str) -> dict[str, Any]:
    answer = await client.http.get(path, headers=client.headers(org))
    answer.raise_for_status()
    body: dict[str, Any] = answer.json()
    return body


async def _add_notes(client: Client, org: Org) -> None:
    for number in range(NOTES):
        answer = await client.http.post(
            "/notes", json={"title": f"note {number} of {org.id}", "body": ""}, headers=client.headers(org)
        )
        answer.raise_for_status()


async def _concurrent_reads(client: Client, orgs: list[Org]) -> tuple[int, int]:
    async def read(org: Org) -> tuple[int, int]:
        seen = (await _get(client, org, "/tenancy/rows"))["rows"]
        own = [row for row in seen if row["org_id"] == org.id and row["title"].endswith(org.id)]
        return len(seen) - len(own), int(len(own) != NOTES)

    reads = await asyncio.gather(*(read(orgs[number % len(orgs)]) for number in range(REQUESTS)))
    return sum(foreign for foreign, _ in reads), sum(missing for _, missing in reads)


async def _refusals(client: Client, org: Org) -> list[tuple[str, str, str]]:
    """(what was tried, the error it must end in, the error it ended in)."""
    report = await _get(client, org, "/tenancy/daemon")
    escalated = await _get(client, org, "/tenancy/escalation")
    return [
        ("acquire without a scope", "ScopeMissing", (await _get(client, org, "/tenancy/unscoped"))["refused"]),
        ("pre-org scope inside a tenant's request", "ScopeEscalation", escalated["refused"]),
        ("the same in a task of the request", "ScopeEscalation", escalated["refused_in_a_task"]),
        (
            "another org's scope in a request",
            "ScopeConflict",
            (await _get(client, org, "/tenancy/other-org"))["refused"],
        ),
        (
            "a connection kept after its scope",
            "ScopeEnded",
            (await _get(client, org, "/tenancy/after-the-request"))["refused"],
        ),
        ("lifespan start-up without a scope", "ScopeMissing", report["startup_refused"]),
        ("daemon tick without a scope", "ScopeMissing", report["daemon_refused"]),
    ]


async def _counted_by_daemon(client: Client, org: Org) -> int | None:
    """The daemon's count for ``org``, once its rounds have come to it."""
    counted = None
    for _ in range(100):
        counted = (await _get(client, org, "/tenancy/daemon"))["notes"]
        if counted == NOTES:
            break
        await asyncio.sleep(TICK_SECONDS / 5)
    return counted
