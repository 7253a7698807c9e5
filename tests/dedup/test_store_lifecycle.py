"""Leases, cooldown, approval and execution in the approval store."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta

import asyncpg
import pytest

from interlock.dedup import ApprovalStore, LifecycleState, Proposal
from interlock.errors import (
    LifecycleError,
    StaleAttempt,
)
from interlock.tenancy import pre_org_resolution_scope, tenant_scope

STOP = Proposal.shell("docker stop web", display_id="a3f9c2")


async def test_a_lapsed_pending_row_makes_way_and_is_audited(store, db, lapse):
    with tenant_scope("a"):
        first = (await store.propose(STOP)).stored
        await lapse(first.id)
        assert await store.in_flight() == []
        second = await store.propose(STOP)
        assert second.reason == "new"
        assert (await store.get(first.id)).state == "expired"
        await lapse(second.stored.id)
        with pytest.raises(LifecycleError) as caught:
            await store.approve(second.stored.id, by="operator")
        assert caught.value.from_ == "expired"
    audited = await db.fetch("SELECT org_id, actor, action, details->>'reason' AS why FROM interlock.audit")
    assert [tuple(row) for row in audited] == [("a", "interlock", "proposal.expired", "lease lapsed")] * 2


async def test_a_lapsed_execution_keeps_the_key_and_fences_its_worker(store, lapse, executing):
    with tenant_scope("a"):
        slow = await executing(store, STOP)
        await lapse(slow.id)
        with pytest.raises(LifecycleError) as caught:
            await store.transition(slow.id, "completed", attempt=slow.attempt, by="worker")
        assert (caught.value.from_, caught.value.to) == ("interrupted", "completed")
        assert (await store.propose(STOP)).collapsed_into.state == "interrupted"
        assert await store.claim("another") == []
        retried = await store.transition(slow.id, "executing", by="operator", reason="it had not run")
        assert (retried.attempt, retried.approved_by) == (2, "operator")
        with pytest.raises(StaleAttempt):
            await store.transition(slow.id, "completed", attempt=slow.attempt, by="worker")
        done = await store.transition(slow.id, "completed", attempt=2, by="another")
        assert done.state == "completed"
        assert (await store.propose(STOP)).reason == "new"


async def test_expire_spans_orgs_only_before_resolution(store, lapse, executing):
    for org in ("a", "b"):
        with tenant_scope(org):
            row = await executing(store, STOP)
            await lapse(row.id)
            await lapse((await store.propose(Proposal.shell("ls"))).stored.id)
    with tenant_scope("a"):
        assert sorted(row.state for row in await store.expire()) == ["expired", "interrupted"]
    with pre_org_resolution_scope("sweep"):
        assert {(row.org_id, row.state) for row in await store.expire()} == {("b", "expired"), ("b", "interrupted")}
        assert await store.expire() == []


async def test_cooldown_collapses_into_what_ended_unless_the_target_changed(pools, db):
    store = ApprovalStore(pools, lease=60, cooldown=timedelta(hours=1))
    with tenant_scope("a"):
        first = (await store.propose(STOP, target_state="image 1")).stored
        await store.transition(first.id, "cancelled", by="operator")
        again = await store.propose(STOP, target_state=b"image 1")
        assert (again.reason, again.collapsed_into.id, again.collapsed_into.seen_count) == ("cooldown", first.id, 2)
        assert again.collapsed_into.state == "cancelled"
        assert await store.in_flight() == []
        many = await store.propose_many([STOP, STOP], target_states=["image 1", "image 1"])
        assert [decision.reason for decision in many] == ["cooldown", "cooldown"]
        changed = await store.propose(STOP, target_state="image 2")
        assert changed.reason == "new"
        await store.transition(changed.stored.id, "executing", by="operator")
        await store.transition(changed.stored.id, "failed", by="operator")
        await db.execute("UPDATE interlock.proposals SET ended_at = ended_at - interval '1 hour'")
        assert (await store.propose(STOP, target_state="image 1")).reason == "new"
        assert await db.fetchval("SELECT count(*) FROM interlock.proposals") == 3


async def test_an_approval_is_one_fact_and_is_consumed_by_one_execution(store, db):
    with tenant_scope("a"):
        row = (await store.propose(STOP)).stored
        assert await store.claim("worker") == []
        approved = await store.approve(str(row.id), by="first")
        assert (await store.approve(row.id, by="second")) == approved
        assert (approved.approved_by, approved.state, approved.version) == ("first", "pending", 2)
        claims = await asyncio.gather(*(store.claim(f"worker {number}", limit=3) for number in range(8)))
        (claimed,) = [row for claim in claims for row in claim]
        assert (claimed.state, claimed.attempt) == ("executing", 1)
        duplicate = await store.propose(STOP)
        assert duplicate.duplicate
        await store.transition(row.id, "completed", attempt=1, by="worker", reason="ran")
        fresh = (await store.propose(STOP)).stored
        assert fresh.approved_by is None
        assert await store.claim("worker") == []
        with pytest.raises(LifecycleError):
            await store.approve(row.id, by="late")
    trail = await db.fetch("SELECT actor, action, subject FROM interlock.audit ORDER BY at")
    assert [tuple(row) for row in trail] == [
        ("first", "proposal.approved", str(row.id)),
        (next(f"worker {n}" for n, claim in enumerate(claims) if claim), "proposal.executing", str(row.id)),
        ("worker", "proposal.completed", str(row.id)),
    ]


async def test_claim_spans_orgs_before_resolution_and_takes_the_oldest_approval(store):
    rows = {}
    for org in ("b", "a"):
        with tenant_scope(org):
            rows[org] = (await store.propose(STOP)).stored
            await store.approve(rows[org].id, by="operator")
    with pre_org_resolution_scope("daemon"):
        assert {row.org_id for row in await store.in_flight()} == {"a", "b"}
        assert [row.org_id for row in await store.claim("daemon")] == ["b"]
    with tenant_scope("b"):
        assert await store.claim("worker", limit=5) == []
        with pytest.raises(ValueError, match="limit"):
            await store.claim("worker", limit=0)


async def test_the_transition_table_holds_for_the_store_and_for_the_table(store, db):
    executed = ["executing"]
    paths = {
        "pending": [],
        "executing": executed,
        "interrupted": [*executed, "interrupted"],
        "completed": [*executed, "completed"],
        "failed": [*executed, "failed"],
        "cancelled": ["cancelled"],
        "expired": ["expired"],
    }
    for before, after in itertools.product(LifecycleState, repeat=2):
        with tenant_scope("a"):
            row = (await store.propose(Proposal.shell(f"from {before} to {after}"))).stored
            for step in paths[before]:
                await store.transition(row.id, step, by="operator")
            if before.may_become(after):
                assert (await store.transition(row.id, after, by="operator")).state is after
                continue
            with pytest.raises(LifecycleError) as caught:
                await store.transition(row.id, after, by="operator")
            assert (caught.value.from_, caught.value.to) == (before, after)
        if before is not after:
            with pytest.raises(asyncpg.CheckViolationError):
                await db.execute("UPDATE interlock.proposals SET state = $1 WHERE id = $2", after.value, row.id)
