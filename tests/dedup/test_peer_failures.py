"""Failures that peers are known for, each as a test of its own; the names say whose and which.

The threads are public: github.com/riverqueue/river, oban-bg/oban, procrastinate-org/procrastinate, timgit/pg-boss,
mhenrixon/sidekiq-unique-jobs, janbjorge/pgqueuer.
"""

from __future__ import annotations

import asyncio

import pytest

from interlock.dedup import (
    IN_FLIGHT_STATES,
    TERMINAL_STATES,
    TRANSITIONS,
    ApprovalStore,
    LifecycleState,
    Proposal,
)
from interlock.errors import LifecycleError
from interlock.tenancy import tenant_scope

STOP, START = Proposal.shell("docker stop web"), Proposal.shell("docker start web")


@pytest.fixture(autouse=True)
def org():
    with tenant_scope("a"):
        yield


async def test_river_619_a_row_does_not_conflict_with_itself(store, executing):
    """There a job that left one unique state for another hit its own key."""
    row = await executing(store, STOP)
    for state in ("interrupted", "executing", "interrupted", "executing", "completed"):
        row = await store.transition(row.id, state, by="operator")
        assert row.state == state
    assert row.attempt == 3


async def test_oban_1416_and_pg_boss_492_no_row_re_enters_the_unique_set(store, executing, lapse):
    """There a job became unique again while another held its key, and maintenance stopped for every queue."""
    assert all(not set(TRANSITIONS[ended]) & set(IN_FLIGHT_STATES) for ended in TERMINAL_STATES)
    earlier = await executing(store, STOP)
    await store.transition(earlier.id, "failed", attempt=1, by="worker")
    later = (await store.propose(STOP)).stored
    for state in LifecycleState:
        with pytest.raises(LifecycleError):
            await store.transition(earlier.id, state, by="operator")
    await lapse(later.id)
    lapsing = await executing(store, START)
    await lapse(lapsing.id)
    assert sorted(row.state for row in await store.expire()) == ["expired", "interrupted"]


async def test_oban_1093_a_rival_that_rolls_back_takes_no_proposal_with_it(store, rival, somebody_waits):
    """There the loser of an advisory lock was told of a conflict with a job that was never committed."""
    async with rival(STOP) as transaction:
        waiting = asyncio.create_task(store.propose(STOP))
        await somebody_waits()
        await transaction.rollback()
    decision = await waiting
    assert (decision.reason, await store.get(decision.stored.id)) == ("new", decision.stored)


async def test_procrastinate_1446_and_1543_an_execution_ends_although_its_content_was_proposed_again(store, executing):
    """There the retry of a job collided with a queued one, and the job stayed "doing" under a live worker."""
    running = await executing(store, STOP)
    again = await store.propose(STOP)
    assert (again.reason, again.collapsed_into.id) == ("in_flight", running.id)
    assert (await store.transition(running.id, "failed", attempt=1, by="worker")).state == "failed"
    retry = await store.propose(STOP)
    assert (retry.reason, retry.stored.attempt, retry.stored.approved_by) == ("new", 0, None)


async def test_procrastinate_452_and_pgqueuer_678_a_conflict_names_the_row(store):
    """There one duplicate failed its whole batch, or was skipped without saying of what it was one."""
    known = (await store.propose(STOP)).stored
    decisions = await store.propose_many([START, STOP, START])
    assert [decision.reason for decision in decisions] == ["new", "in_flight", "in_flight"]
    assert decisions[1].collapsed_into.id == known.id
    assert decisions[2].collapsed_into.id == decisions[0].stored.id


async def test_sidekiq_unique_jobs_379_to_861_a_worker_that_died_holds_no_key_for_ever(store, executing, lapse):
    """There the lock of a killed process stayed, and the digest could not be enqueued any more."""
    waiting = (await store.propose(START)).stored
    await lapse(waiting.id)
    assert (await store.propose(START)).reason == "new"
    dead = await executing(store, STOP)
    await lapse(dead.id)
    # It may have run, so it is shown until somebody decides, and then gone.
    interrupted = (await store.propose(STOP)).collapsed_into
    assert (interrupted.id, interrupted.state) == (dead.id, "interrupted")
    await store.transition(dead.id, "cancelled", by="operator")
    assert (await store.propose(STOP)).reason == "new"


async def test_sidekiq_unique_jobs_580_expiry_leaves_the_living_alone(store, executing):
    """There the reaper deleted the locks of jobs that ran."""
    row = await executing(store, STOP)
    assert await store.expire() == []
    assert (await store.propose(STOP)).collapsed_into.id == row.id


async def test_oban_1505_many_at_once_are_all_told_of_the_same_row(store: ApprovalStore):
    """There concurrent duplicates got an error without the existing job."""
    decisions = await asyncio.gather(*(store.propose(STOP) for _ in range(20)))
    assert len({decision.stored.id for decision in decisions}) == 1
    assert sum(decision.duplicate for decision in decisions) == 19
