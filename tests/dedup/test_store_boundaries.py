"""What the approval store refuses, and how it fails."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from interlock.dedup import ApprovalStore, Proposal
from interlock.errors import (
    InterlockError,
    ProposalNotFound,
    ScopeMissing,
    StoreConflict,
    StoreConnectionLost,
    StoreError,
    UnknownState,
)
from interlock.tenancy import pre_org_resolution_scope, tenant_scope

STOP = Proposal.shell("docker stop web", display_id="a3f9c2")


async def test_another_orgs_id_is_answered_like_a_random_one(store):
    with tenant_scope("a"):
        theirs = (await store.propose(STOP)).stored
    with tenant_scope("b"):
        for call in (
            lambda id: store.approve(id, by="eve"),
            lambda id: store.transition(id, "cancelled", by="eve"),
            lambda id: store.transition(id, "completed", attempt=9, by="eve"),
            store.payload,
        ):
            answers = set()
            for id in (theirs.id, str(theirs.id), uuid4(), "a3f9c2"):
                with pytest.raises(ProposalNotFound) as caught:
                    await call(id)
                answers.add((type(caught.value), str(caught.value).replace(str(id), "…")))
            assert len(answers) == 1
        assert await store.get(theirs.id) is None is await store.get(uuid4())


async def test_scopes(store):
    for call in (lambda: store.propose(STOP), lambda: store.approve(uuid4(), by="x"), store.in_flight):
        with pytest.raises(ScopeMissing):
            await call()
    with pre_org_resolution_scope("test"):
        for call in (
            lambda: store.propose(STOP),
            lambda: store.propose_many([STOP]),
            lambda: store.approve(uuid4(), by="x"),
            lambda: store.transition(uuid4(), "failed", by="x"),
            lambda: store.get(uuid4()),
        ):
            with pytest.raises(ScopeMissing, match="tenant_scope"):
                await call()


async def test_the_runtime_role_can_neither_forge_nor_erase(store, db_as_app):
    with tenant_scope("a"):
        row = (await store.propose(STOP)).stored
        await store.approve(row.id, by="operator")
    await db_as_app.execute("SELECT set_config('app.current_org_id', 'a', false)")
    assert await db_as_app.execute("DELETE FROM interlock.proposals") == "DELETE 0"
    for forged in (
        "INSERT INTO interlock.proposals (org_id, kind, content_hash, cmd_hash, canon_version, state) "
        "VALUES ('a', 'shell', sha256('x'), 'x', 1, 'completed')",
        "UPDATE interlock.proposals SET org_id = 'b'",
        "UPDATE interlock.proposals SET content_hash = sha256('x')",
        "UPDATE interlock.proposal_payloads SET canonical = 'rm -rf /'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await db_as_app.execute(forged)
    with pytest.raises(asyncpg.CheckViolationError):
        await db_as_app.execute("UPDATE interlock.proposals SET state = 'completed'")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await db_as_app.execute(
            "INSERT INTO interlock.proposals (org_id, kind, content_hash, cmd_hash, lease_until, canon_version) "
            "VALUES ('b', 'shell', sha256('x'), 'x', now(), 1)"
        )


async def test_settings_and_words_are_checked(pools, store):
    for no_duration in (0, -1, True, float("nan"), float("inf"), 1e-9, "60", None, timedelta(0), timedelta.max):
        for name in ("lease", "cooldown")[: 1 if no_duration is None else 2]:
            with pytest.raises(ValueError, match=f"{name}=.*: give a positive number of seconds"):
                ApprovalStore(pools, **{name: no_duration})
        with pytest.raises(ValueError, match=r"every=.*positive"):
            store.watch(every=no_duration)
        if no_duration is not None:
            with tenant_scope("a"), pytest.raises(ValueError, match=r"lease=.*positive"):
                await store.claim("worker", lease=no_duration)
            with tenant_scope("a"), pytest.raises(ValueError, match=r"lease=.*positive"):
                await store.transition(uuid4(), "executing", by="operator", lease=no_duration)
    with tenant_scope("a"), pytest.raises(UnknownState):
        await store.transition(uuid4(), "paused", by="operator")
    with tenant_scope("a"):
        id = (await store.propose(STOP)).stored.id
        for nobody in ("", "some\0body", None):
            with pytest.raises(ValueError, match="by names"):
                await store.approve(id, by=nobody)
            with pytest.raises(ValueError, match="by names"):
                await store.transition(id, "cancelled", by=nobody)
            with pytest.raises(ValueError, match="worker names"):
                await store.claim(nobody)
        with pytest.raises(ValueError, match="NUL"):
            await store.transition(id, "cancelled", by="operator", reason="be\0cause")
        for limit in (0, -1, 2**31, True, 1.5):
            with pytest.raises(ValueError, match="limit"):
                await store.claim("worker", limit=limit)
        assert (await store.get(id)).version == 1


async def test_pools_with_a_setting_of_their_own_serve_the_store(pools_on, database):
    async with pools_on(database, guc="app.tenant") as pools:
        store = ApprovalStore(pools)
        for org in ("a", "b"):
            with tenant_scope(org):
                assert (await store.propose(STOP)).reason == "new"
                assert [row.org_id for row in await store.in_flight()] == [org]


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
async def test_stricter_isolation_works_or_says_try_again(pools_on, database, level):
    settings = {"default_transaction_isolation": level}
    async with pools_on(database, server_settings=settings) as pools:
        store = ApprovalStore(pools, lease=60)
        conflicts: set[tuple[bool, str | None]] = set()

        async def insist(proposal: Proposal) -> Any:
            while True:
                try:
                    return await store.propose(proposal)
                except StoreConflict as error:
                    conflicts.add((error.retryable, error.sqlstate))

        with tenant_scope("a"):
            decisions = await asyncio.gather(*(insist(STOP) for _ in range(16)))
            assert sum(decision.reason == "new" for decision in decisions) == 1
            (row,) = await store.in_flight()
        assert row.seen_count == 16
        assert conflicts <= {(True, "40001")}


async def test_a_lost_connection_is_a_typed_error_and_nothing_is_lost(postgres_cluster, store, app_role_name):
    with tenant_scope("a"):
        known = (await store.propose(STOP)).stored
        postgres_cluster.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{app_role_name}'"
        )
        lost = []
        while len(lost) < 10:
            try:
                again = await store.propose(STOP)
            except StoreConnectionLost as error:
                lost.append(error.retryable)
            else:
                break
        assert again.collapsed_into.id == known.id
        assert lost == [True] * len(lost) != []


async def test_a_database_that_was_not_migrated_says_so(postgres_cluster, pools_on):
    name = f"bare_{uuid4().hex[:8]}"
    postgres_cluster.create_database(name)
    try:
        async with pools_on(name, doctor="off", mode="merged") as pools:
            with tenant_scope("a"), pytest.raises(StoreError, match="migrate") as caught:
                await ApprovalStore(pools).propose(STOP)
        assert not caught.value.retryable
        assert isinstance(caught.value, InterlockError)
    finally:
        postgres_cluster.drop_database(name)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
async def test_a_rival_that_a_snapshot_cannot_see_is_a_conflict_to_retry(
    pools_on, database, level, rival, somebody_waits
):
    settings = {"default_transaction_isolation": level}
    async with pools_on(database, server_settings=settings, max_size=1) as strict:
        store = ApprovalStore(strict, lease=60)
        with tenant_scope("a"):
            async with rival(STOP) as transaction:
                waiting = asyncio.create_task(store.propose(STOP))
                await somebody_waits()
                await transaction.commit()
            with pytest.raises(StoreConflict) as caught:
                await waiting
            assert (caught.value.retryable, caught.value.sqlstate) == (True, "40001")
            assert (await store.propose(STOP)).reason == "in_flight"


async def test_a_connection_lost_in_the_middle_leaves_nothing(store, db, rival, somebody_waits, postgres_cluster):
    with tenant_scope("a"):
        async with rival(STOP) as transaction:
            waiting = asyncio.create_task(store.propose(STOP))
            await somebody_waits()
            pid = await db.fetchval("SELECT pid FROM pg_locks WHERE NOT granted")
            postgres_cluster.execute(f"SELECT pg_terminate_backend({pid})")
            with pytest.raises(StoreConnectionLost) as caught:
                await waiting
            assert caught.value.retryable
            await transaction.rollback()
        again = await store.propose(STOP)
        assert (again.reason, again.stored.seen_count) == ("new", 1)
