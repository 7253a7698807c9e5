"""The deadline middleware under a real ASGI client: every request refused, the event told once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from interlock.gates import Gates, ManualClock
from interlock.gates.cluster import ClusterFireOnce
from interlock.tenancy import TenantPools, create_tenant_pools, tenant_scope
from interlock.testing import EmbeddedPostgres
from interlock.testing.roles import Roles
from interlock.web import DeadlineMiddleware, Trip

PAST = datetime(2020, 1, 1, tzinfo=UTC)


async def answer(_: Any) -> PlainTextResponse:
    return PlainTextResponse("served")


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


APP = Starlette(routes=[Route("/", answer), WebSocketRoute("/ws", socket)])


def client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def criticals(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL]


async def test_before_the_deadline_nothing_happens(caplog: pytest.LogCaptureFixture) -> None:
    app = DeadlineMiddleware(APP, deadline=datetime.now(UTC) + timedelta(days=1), on_trip=pytest.fail)
    async with client(app) as http:
        assert (await http.get("/")).text == "served"
    assert caplog.records == []


async def test_after_it_every_request_is_503_and_the_event_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    trips: list[Trip] = []
    app = DeadlineMiddleware(APP, deadline=PAST, on_trip=trips.append, retry_after=120)
    async with client(app) as http:
        answers = await asyncio.gather(*(http.get("/x") for _ in range(200)))
    assert {(reply.status_code, reply.headers["retry-after"]) for reply in answers} == {(503, "120")}
    assert len(criticals(caplog)) == len(caplog.records) == 1
    assert trips == [Trip("deadline.tripped", PAST, "/x")]


async def test_two_middlewares_trip_separately(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        async with client(DeadlineMiddleware(APP, deadline=lambda: True)) as http:
            await http.get("/")
            await http.get("/")
    assert len(criticals(caplog)) == 2


async def test_a_deadline_that_is_moved_can_trip_again(caplog: pytest.LogCaptureFixture) -> None:
    passed = [True]
    app = DeadlineMiddleware(APP, deadline=lambda: passed[0], on_trip=lambda: None)
    async with client(app) as http:
        for now, expected in ((True, 1), (True, 1), (False, 1), (True, 2), (True, 2)):
            passed[0] = now
            assert (await http.get("/")).status_code == (503 if now else 200)
            assert len(criticals(caplog)) == expected


@pytest.mark.parametrize("extensions", [{}, {"websocket.http.response": {}}], ids=["close", "denial response"])
async def test_a_websocket_is_refused(extensions: dict[str, Any]) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    app = DeadlineMiddleware(APP, deadline=lambda: True)
    await app({"type": "websocket", "path": "/ws", "extensions": extensions}, receive, send)
    if extensions:
        assert sent[0]["status"] == 503
        assert (b"retry-after", b"60") in sent[0]["headers"]
    else:
        assert sent == [{"type": "websocket.close", "code": 1013, "reason": "Service Unavailable"}]


async def test_the_lifespan_passes_through() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await DeadlineMiddleware(app, deadline=PAST)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert seen == ["lifespan"]


async def test_a_failing_sink_is_tried_again_after_a_pause_and_nothing_is_done_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = ManualClock()
    done: list[str] = []

    def on_trip(_: Trip) -> None:
        done.append("on_trip")
        if len(done) < 4:
            raise ConnectionError("the sink is down")

    app = DeadlineMiddleware(
        APP,
        deadline=PAST,
        on_trip=on_trip,
        capture=lambda _: done.append("capture"),
        fire_once=Gates(clock=clock).fire_once("x"),
    )
    async with client(app) as http:
        for pause, attempts in ((0, 1), (0.5, 1), (0.5, 2), (1.9, 2), (0.1, 3), (3600, 3)):
            clock.advance(pause)
            for _ in range(20):
                assert (await http.get("/")).status_code == 503
            assert done.count("on_trip") == attempts
    assert done.count("capture") == 1
    assert len(criticals(caplog)) == 1
    assert sum(record.levelno == logging.ERROR for record in caplog.records) == 2


async def test_a_sink_that_hangs_does_not_keep_the_answer_back(caplog: pytest.LogCaptureFixture) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    app = DeadlineMiddleware(APP, deadline=PAST, on_trip=hang, timeout=0.01)
    async with client(app) as http:
        assert (await http.get("/")).status_code == 503
    assert "it will be tried again" in caplog.text


async def test_sentry_gets_one_fatal_event_although_it_also_listens_to_the_log(
    start_sentry: Callable[..., list[Any]],
) -> None:
    events = start_sentry()
    async with client(DeadlineMiddleware(APP, deadline=PAST, event="sunset")) as http:
        for _ in range(50):
            await http.get("/")
    assert [(event["message"], event["level"]) for event in events] == [("sunset", "fatal")]


@pytest.fixture
async def pools(postgres_cluster: EmbeddedPostgres, database: str, database_roles: Roles) -> Any:
    dsns = [postgres_cluster.dsn(role, database) for role in (database_roles.app, database_roles.admin)]
    async with create_tenant_pools(*dsns, min_size=1, max_size=2) as pools:
        yield pools


async def audit_rows(db: asyncpg.Connection) -> int:
    rows: int = await db.fetchval("SELECT count(*) FROM interlock.audit WHERE org_id IS NULL AND action = 'sunset'")
    return rows


async def test_the_audit_row_is_written_once_from_inside_a_tenants_request(
    pools: TenantPools, db: asyncpg.Connection
) -> None:
    app = DeadlineMiddleware(APP, deadline=PAST, event="sunset", pools=lambda scope: pools)
    async with client(app) as http:
        with tenant_scope(1):
            await asyncio.gather(*(http.get("/") for _ in range(50)))
    assert await audit_rows(db) == 1


async def test_a_broken_audit_table_does_not_bring_the_flood_back(
    pools: TenantPools, db: asyncpg.Connection, postgres_cluster: EmbeddedPostgres, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    gate = Gates(clock=clock).fire_once("sunset")
    name = await db.fetchval("SELECT current_database()")
    postgres_cluster.execute("ALTER TABLE interlock.audit RENAME TO elsewhere", database=name)
    app = DeadlineMiddleware(APP, deadline=PAST, event="sunset", pools=pools, fire_once=gate)
    async with client(app) as http:
        for _ in range(100):
            assert (await http.get("/")).status_code == 503
        assert len(caplog.records) == 2  # the event, and why its row is missing
        postgres_cluster.execute("ALTER TABLE interlock.elsewhere RENAME TO audit", database=name)
        clock.advance(1)
        for _ in range(100):
            assert (await http.get("/")).status_code == 503
    assert len(caplog.records) == 2
    assert await audit_rows(db) == 1


async def test_with_a_cluster_gate_one_process_of_many_tells_it(
    pools: TenantPools, db: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    apps = [
        DeadlineMiddleware(APP, deadline=PAST, event="sunset", fire_once=ClusterFireOnce(pools, timeout=10))
        for _ in range(4)
    ]
    for _ in range(3):
        for app in apps:
            async with client(app) as http:
                assert (await http.get("/")).status_code == 503
    assert len(criticals(caplog)) == 1
    assert await audit_rows(db) == 1


async def test_the_winners_rollback_hands_the_turn_to_another_process(
    pools: TenantPools, db: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ConnectionError("the pager is down")

    apps = [
        DeadlineMiddleware(
            APP, deadline=PAST, event="sunset", on_trip=on_trip, fire_once=ClusterFireOnce(pools, timeout=10)
        )
        for on_trip in (fail, None)
    ]
    for app, rows in zip(apps, (0, 1), strict=True):
        async with client(app) as http:
            await http.get("/")
        assert await audit_rows(db) == rows
    async with client(apps[0]) as http:
        await http.get("/")
    assert await audit_rows(db) == 1


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="aware"):
        DeadlineMiddleware(APP, deadline=datetime(2020, 1, 1))
    with pytest.raises(ValueError, match="retry_after"):
        DeadlineMiddleware(APP, deadline=PAST, retry_after=-1)
