"""What the demonstration drives and shows of the gates: two processes of the service, one flood."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import httpx

from union_station.gates_desk import BUDGET, CARRIER_LINES, COURIER_LINES, LINES_PER_KEY
from union_station.section import Client, Figure, Org, Section
from union_station.server import running

EVENT = "legacy-api.deadline"
REQUESTS, TENANT_REQUESTS, UNIQUE_ROWS, DELIVERIES, AT_ONCE = 2900, 100, 100, 40, 16


async def section(client: Client) -> Section:
    """Start a second process, pass the deadline in both and hammer on them; then flood the log of both."""
    async with AsyncExitStack() as stack:
        client.progress("a second process of the service, on the same table of gates")
        address = await asyncio.to_thread(stack.enter_context, running(client.settings))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=address, timeout=60))
        both = (client, replace(client, http=http))
        figures = await _deadline(both)
        figures += await _floods(both)
        figures += await _counted(both)
    return Section(title="Gates: one line instead of eight million", figures=figures)


async def _deadline(both: tuple[Client, ...]) -> list[Figure]:
    client = both[0]
    org = await client.create_org("Gates")
    before = (await client.http.get("/gates/legacy/orders")).status_code
    for process in both:
        (await process.http.post("/gates/deadline")).raise_for_status()
    asked = REQUESTS + TENANT_REQUESTS
    client.progress(f"{asked} requests after the deadline")
    # The first ones come from inside a tenant: the audit row is the system's all the same.
    statuses = await _hammer(client, TENANT_REQUESTS, client.headers(org))
    for answers in await asyncio.gather(*(_hammer(process, REQUESTS // len(both), {}) for process in both)):
        statuses += answers
    reports = await _reports(both)
    refused, lines = statuses[503], _sum(reports, "lines", "deadline")
    unasked = _sum(reports, "answered_without_asking")
    captures = [level for report in reports for level, _ in report["captures"]]
    rows = reports[0]["audit_rows"]
    return [
        Figure("old API before its deadline: status", before, ok=before == 200),
        Figure("requests after it, all answered 503", refused, ok=refused == asked == _sum(reports, "refused")),
        Figure("lines that a logger without a gate would have written", refused),
        Figure("lines written, by both processes together", lines, ok=lines == 1),
        Figure("times that PostgreSQL was asked, once a process", asked - unasked, ok=asked - unasked == len(both)),
        Figure("audit rows, written from inside a tenant", rows, ok=rows == 1),
        Figure("captures by Sentry", len(captures), ok=captures == ["fatal"]),
    ]


async def _floods(both: tuple[Client, ...]) -> list[Figure]:
    client = both[0]
    noisy, quiet = [await client.create_org(f"Gates {name}") for name in ("noisy", "quiet")]
    client.progress(f"{UNIQUE_ROWS} different failures of one tenant, and {DELIVERIES} equal ones")
    flood = [await _import(both[row % len(both)], noisy, f"row-{row}") for row in range(UNIQUE_ROWS)]
    other = [await _import(process, quiet, "row-1") for process in (*both, client)]
    for number in range(DELIVERIES):
        process = both[number % len(both)]
        (await process.http.post("/gates/deliveries", headers=process.headers(noisy))).raise_for_status()
    reports = await _reports(both)
    carrier, courier = (_sum(reports, "lines", name) for name in ("carrier", "courier"))
    captured = Counter(name for report in reports for _, name in report["captures"] if name.endswith("er"))
    return [
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
        Figure(f"structlog lines of {DELIVERIES} failed deliveries", carrier, ok=carrier == CARRIER_LINES),
        Figure(f"lines of logging behind a GateFilter, of {DELIVERIES}", courier, ok=courier == COURIER_LINES),
        Figure("events of these that Sentry was sent, one an incident", captured.total(), ok=captured.total() == 2),
    ]


async def _counted(both: tuple[Client, ...]) -> list[Figure]:
    reports = await _reports(both)
    expected = {
        "import.failed": UNIQUE_ROWS - BUDGET + 1,
        "carrier": DELIVERIES - CARRIER_LINES,
        "courier": DELIVERIES - COURIER_LINES,
    }
    summed = {event: _sum(reports, "summed", event) for event in expected}
    metrics = {event: reports[-1]["metrics"][event]["suppressed"] for event in expected}
    return [
        Figure("suppressed, by the summaries of both", sum(summed.values()), ok=summed == expected),
        Figure("suppressed, by OpenTelemetry", sum(metrics.values()), ok=metrics == expected),
    ]


async def _reports(both: tuple[Client, ...]) -> list[dict[str, Any]]:
    key = {"x-operator-key": both[0].settings.operator_key}
    return [(await process.http.get("/gates/report", headers=key)).raise_for_status().json() for process in both]


def _sum(reports: list[dict[str, Any]], name: str, entry: str | None = None) -> int:
    return sum(report[name] if entry is None else report[name].get(entry, 0) for report in reports)


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
