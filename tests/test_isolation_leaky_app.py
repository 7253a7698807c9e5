"""The harness finds what is planted in the help desk, in every layer, and raises nothing where nothing is planted."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from interlock.errors import IsolationLeak
from interlock.testing import EmbeddedPostgres, IsolationHarness, Layer, TenantStateMachine, Verdict
from leaky_app.app import create_app
from leaky_app.database import Database, create_database, create_template, headers_for
from leaky_app.plants import PLANTS, Plant

BY_ID = {plant.id: plant for plant in PLANTS}

# Ten plants, each with the oracle that finds it first; all of them over several seeds: benchmarks/isolation.py.
NEEDS = {
    "policy-opened": ("O1", "every endpoint"),
    "search-cache-by-text": ("O4", "GET /search"),
    "archive-all": ("O1", "every endpoint"),
    "stats-of-everybody": ("O3", "every endpoint"),
    "forbidden-or-missing": ("O4", "GET /invoices/{invoice_id}"),
    "document-dedup-any-org": ("O5", "POST /documents"),
    "blind-update": ("O6", "PATCH /customers/{customer_id}"),
    "background-under-previous-org": ("O7", "POST /reports"),
    "org-from-body": ("O8", "PUT /preferences"),
    "etag-of-anybody": ("O11", "every endpoint"),
}


@pytest.fixture(scope="module")
def server(postgres_cluster: EmbeddedPostgres) -> EmbeddedPostgres:
    create_template(postgres_cluster)
    return postgres_cluster


@pytest.fixture
def build(server: EmbeddedPostgres) -> Callable[..., IsolationHarness]:
    def harness(plant: Plant | None = None, **options: Any) -> IsolationHarness:
        database: Database = create_database(server, f"desk_{uuid.uuid4().hex[:8]}", plant)
        return IsolationHarness(
            create_app(database.tenant_dsn, database.admin_dsn, plant.id if plant else None),
            create_org=database.create_org,
            headers_for=headers_for,
            admin=database.admin_dsn,
            **options,
        )

    return harness


@pytest.mark.parametrize("plant", NEEDS)
def test_planted_leak_is_found_by_its_oracle(build: Callable[..., IsolationHarness], plant: str) -> None:
    code, target = NEEDS[plant]
    with build(BY_ID[plant]) as harness, pytest.raises(IsolationLeak) as caught:
        harness.example(target)
    assert caught.value.leak.oracle == code, caught.value
    assert caught.value.leak.transcript


def test_a_run_reports_the_leak_with_transcript_and_replay(build: Callable[..., IsolationHarness]) -> None:
    report = build(BY_ID["read-any-customer"]).run(max_examples=1, seed=3, max_seconds=None)
    assert report.verdict is Verdict.LEAK
    (leak,) = report.leaks
    assert leak.endpoint == "GET /customers/{customer_id}"
    assert "/customers" in leak.planted
    assert leak.transcript[-1].strip().startswith("→ 200")
    assert "seed=3" in leak.reproduce
    assert leak.message in str(report)
    assert report.to_json()["verdicts"][leak.endpoint] == "leak"


def test_the_clean_service_holds(build: Callable[..., IsolationHarness]) -> None:
    report = build().run(max_examples=12, seed=5, max_seconds=None)
    assert report.ok, str(report)
    assert all(report.coverage.succeeded.get(name) for name in report.endpoints if name.startswith("GET /customers"))
    assert report.coverage.own_canary_seen


def test_a_shrunk_finding_names_its_reproduction(build: Callable[..., IsolationHarness]) -> None:
    with build(BY_ID["document-dedup-any-org"]) as harness:
        report = harness.run_target("POST /documents", max_examples=2, seed=1, max_seconds=None)
    assert "@reproduce_failure" in report.leaks[0].reproduce


def test_check_draws_an_example_inside_a_users_own_test(build: Callable[..., IsolationHarness]) -> None:
    from interlock.testing import isolation_property

    with build(BY_ID["close-any-ticket"]) as harness:

        @isolation_property(harness, max_examples=2, target="POST /tickets/{ticket_id}/close")
        def test_isolation() -> None: ...

        with pytest.raises(IsolationLeak):
            test_isolation()


@pytest.mark.slow  # a random walk: it finds the leak in seconds or in minutes
def test_state_machine_finds_a_leak_in_a_sequence(build: Callable[..., IsolationHarness]) -> None:
    from hypothesis import Phase, settings
    from hypothesis.stateful import run_state_machine_as_test

    with build(BY_ID["pay-any-silently"]) as shared:

        class Desk(TenantStateMachine):
            harness = shared

        with pytest.raises(IsolationLeak):
            run_state_machine_as_test(
                Desk,
                settings=settings(
                    max_examples=400,
                    stateful_step_count=12,
                    deadline=None,
                    database=None,
                    phases=[Phase.generate],
                ),
            )


def test_the_layer_that_holds_is_told(server: EmbeddedPostgres) -> None:
    database = create_database(server, f"desk_{uuid.uuid4().hex[:8]}")
    app = create_app(database.tenant_dsn, database.admin_dsn, "download-any")
    with IsolationHarness(
        app, create_org=database.create_org, headers_for=headers_for, admin=database.admin_dsn
    ) as harness:
        held_by = harness.layers(database.owner_dsn)
        assert held_by["GET /documents/{document_id}/download"] is Layer.NONE
        assert held_by["GET /customers"] is Layer.DATABASE
        assert held_by["POST /echo"] is Layer.BOTH
        assert held_by["GET /plans"] is Layer.APPLICATION
        assert held_by == harness.layers(database.owner_dsn)  # it was switched on again


def test_overrides_replace_what_is_sent(build: Callable[..., IsolationHarness]) -> None:
    body = st.fixed_dictionaries({"text": st.just("fixed")})
    with build(overrides={"POST /echo": body, "POST /reports": {"title": "always this"}}) as harness:
        harness.example("POST /echo")
        sent = harness.play().call("A", "POST /reports")
    assert sent.status == 202
