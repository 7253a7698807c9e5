"""The in-memory index as Python sees it; its decisions are checked against a list in props_dedup.rs."""

from __future__ import annotations

import json
import sys
import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from interlock.dedup import DedupIndex, LifecycleState, Proposal
from interlock.errors import (
    DedupIndexFull,
    LifecycleError,
    ProposalNotFound,
    ScopeConflict,
    ScopeEnded,
    ScopeMissing,
    SnapshotError,
    StaleAttempt,
    UnknownState,
)
from interlock.gates import ManualClock
from interlock.tenancy import pre_org_resolution_scope, tenant_scope

STOP = Proposal.shell("docker stop web", display_id="a3f9c2")


class Clock:
    def __init__(self) -> None:
        self.nanoseconds = 0

    def __call__(self) -> int:
        return self.nanoseconds

    def pass_seconds(self, seconds: int) -> None:
        self.nanoseconds += seconds * 1_000_000_000


def test_a_duplicate_names_the_row_and_is_counted():
    index = DedupIndex()
    first = index.propose(STOP)
    again = index.propose(Proposal.shell("docker  stop 'web'", display_id="a3f7c2"))
    assert (first.duplicate, first.collapsed_into, first.reason) == (False, None, "new")
    assert (again.duplicate, again.reason) == (True, "in_flight")
    assert again.collapsed_into.id == first.stored.id
    assert again.collapsed_into.seen_count == 2
    assert again.collapsed_into.display_id == "a3f9c2"
    assert (again.collapsed_into.content_hash, again.collapsed_into.logical_keys) == (STOP.content_hash, ("stop:web",))
    assert len(index) == 1
    assert again == again
    assert again != first


def test_cluster_and_related():
    index = DedupIndex()
    rows = [
        index.propose(Proposal.shell(c)).stored for c in ("docker stop -t 5 web", "docker start web", "docker stop db")
    ]
    decision = index.propose(STOP)
    assert [row.id for row in decision.logical_cluster] == [rows[0].id]
    assert [row.id for row in decision.related] == [rows[1].id]
    assert index.propose(STOP).logical_cluster == ()


def test_leases_lapse_by_state_and_the_key_of_an_execution_stays_taken():
    clock = Clock()
    index = DedupIndex(lease=timedelta(seconds=10), clock=clock)
    pending, executing = index.propose(STOP).stored, index.propose(Proposal.shell("ls")).stored
    assert pending.lease_until == datetime(1970, 1, 1, 0, 0, 10, tzinfo=UTC)
    clock.pass_seconds(5)
    executing = index.transition(executing.id, "executing")
    assert executing.attempt == 1
    clock.pass_seconds(5)
    assert [row.state for row in index.expire()] == ["expired"]
    clock.pass_seconds(5)
    assert [(row.id, row.state) for row in index.expire()] == [(executing.id, "interrupted")]
    assert index.propose(STOP).reason == "new"
    assert index.propose(Proposal.shell("ls")).collapsed_into.state is LifecycleState.INTERRUPTED
    with pytest.raises(LifecycleError):
        index.transition(executing.id, "completed", attempt=1)
    assert index.transition(executing.id, "executing").attempt == 2
    with pytest.raises(StaleAttempt) as caught:
        index.transition(executing.id, "completed", attempt=1)
    assert (caught.value.from_, caught.value.to, caught.value.attempt) == ("executing", "completed", 1)


@pytest.mark.parametrize(
    ("path", "cools"), [(("executing", "completed"), True), (("cancelled",), True), (("expired",), False)]
)
def test_cooldown_is_of_completed_and_cancelled_ones(path, cools):
    clock = Clock()
    index = DedupIndex(cooldown=60, clock=clock)
    first = index.propose(STOP).stored
    for state in path:
        index.transition(first.id, state)
    clock.pass_seconds(59)
    again = index.propose(STOP)
    assert (again.reason == "cooldown") is cools
    if cools:
        assert again.collapsed_into.id == first.id
        clock.pass_seconds(1)
        assert index.propose(STOP).reason == "new"


def test_the_clock_of_the_gates_moves_the_index_too():
    clock = ManualClock()
    index = DedupIndex(lease=10, clock=clock)
    index.propose(STOP)
    clock.advance(10)
    assert [row.state for row in index.expire()] == ["expired"]


def test_a_full_index_says_so_and_keeps_what_is_in_flight():
    index = DedupIndex(capacity=2)
    kept = [index.propose(Proposal.shell(f"rm {n}")).stored.id for n in range(2)]
    with pytest.raises(DedupIndexFull) as caught:
        index.propose(Proposal.shell("rm 2"))
    assert caught.value.capacity == 2
    assert index.propose(Proposal.shell("rm 1")).reason == "in_flight"
    assert [row.id for row in index.in_flight()] == kept
    index.transition(kept[0], "cancelled")
    assert index.propose(Proposal.shell("rm 2")).reason == "new"


def test_snapshot_and_restore():
    clock = Clock()
    index = DedupIndex(lease=10, cooldown=10, clock=clock)
    index.propose(STOP)
    index.transition(index.propose(Proposal.shell("ls")).stored.id, "cancelled")
    restored = DedupIndex(lease=10, cooldown=10, clock=clock)
    restored.propose(Proposal.shell("forgotten"))
    restored.restore(index.snapshot())
    assert restored.in_flight() == index.in_flight()
    assert restored.propose(Proposal.shell("ls")).reason == "cooldown"
    before = restored.snapshot()
    for bad in (b"", b"{}", before[:-1], before.replace(b"pending", b"paused!")):
        with pytest.raises(SnapshotError):
            restored.restore(bad)
    assert restored.snapshot() == before
    full = DedupIndex()
    for n in range(3):
        full.propose(Proposal.shell(f"rm {n}"))
    with pytest.raises(DedupIndexFull):
        DedupIndex(capacity=2).restore(full.snapshot())


@pytest.mark.parametrize("count", ["attempt", "version", "seen_count"])
def test_a_snapshot_whose_counts_could_not_go_on_is_refused(count):
    index = DedupIndex()
    row = index.propose(STOP).stored
    snapshot = json.loads(index.snapshot())
    (entry,) = snapshot["entries"]
    entry[count] = 2**64 - 1 if count == "seen_count" else 2**32 - 1
    with pytest.raises(SnapshotError, match="count"):
        index.restore(json.dumps(snapshot).encode())
    assert index.propose(STOP).stored.seen_count == 2
    assert index.transition(row.id, "executing").attempt == 1


# --- orgs


def test_an_org_sees_and_touches_its_own_entries_alone():
    index = DedupIndex()
    with tenant_scope("a"):
        mine = index.propose(STOP).stored
    with tenant_scope("b"):
        theirs = index.propose(STOP)
        assert theirs.reason == "new"
        assert index.get(mine.id) is None
        assert [row.id for row in index.in_flight()] == [theirs.stored.id]
        refusals = []
        for id in (mine.id, uuid4(), str(mine.id), "a3f9c2"):
            with pytest.raises(ProposalNotFound) as caught:
                index.transition(id, "executing")
            refusals.append((type(caught.value), str(caught.value)))
        assert len(set(refusals)) == 1
        for call in (lambda: index.propose(STOP, org_id="a"), lambda: index.in_flight(org_id=None)):
            with pytest.raises(ScopeConflict):
                call()
    assert len(index.in_flight()) == 2
    assert index.in_flight(org_id="a") == (mine,)
    assert index.get(mine.id, org_id="b") is None


def test_a_proposal_needs_an_org_where_there_are_scopes():
    index = DedupIndex()
    with pre_org_resolution_scope("test"):
        with pytest.raises(ScopeMissing):
            index.propose(STOP)
        assert index.propose(STOP, org_id=7).stored.org_id == "7"
    with tenant_scope("a") as frame:
        assert frame.org_id == "a"
        import contextvars

        context = contextvars.copy_context()
    with pytest.raises(ScopeEnded):
        context.run(index.propose, STOP)


# --- bad input

NO_DURATIONS = (0, -1, True, False, float("nan"), float("inf"), 1e300, 1e-300, "60", timedelta(0), timedelta.max)


@pytest.mark.parametrize("name", ["lease", "cooldown"])
def test_what_is_no_duration_is_refused_by_name(name):
    for no_duration in NO_DURATIONS:
        with pytest.raises(ValueError, match=f"{name} must be a positive number of seconds or a timedelta"):
            DedupIndex(**{name: no_duration})


def test_bad_input():
    for no_capacity in (0, -1, True, 1.5, "2", 2**64):
        with pytest.raises(ValueError, match="capacity"):
            DedupIndex(capacity=no_capacity)
    with pytest.raises(TypeError):
        DedupIndex(clock=7)
    with pytest.raises(TypeError):
        DedupIndex(clock=lambda: 1.5).propose(STOP)
    index = DedupIndex()
    row = index.propose(STOP).stored
    with pytest.raises(UnknownState):
        index.transition(row.id, "paused")
    with pytest.raises(LifecycleError) as caught:
        index.transition(row.id, "completed")
    assert (caught.value.from_, caught.value.to) == ("pending", "completed")


# --- threads


def test_threads_agree_on_one_winner_for_each_content():
    index = DedupIndex()
    start = threading.Barrier(4)
    new = [0] * 4

    def work(worker: int) -> None:
        start.wait()
        for n in range(2000):
            decision = index.propose(Proposal.shell(f"docker stop web-{n % 500}"))
            new[worker] += decision.reason == "new"
            if n % 7 == 0:
                # Ends it, unless another thread did.
                try:
                    index.transition(decision.stored.id, "cancelled")
                except (LifecycleError, ProposalNotFound):
                    continue

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    rows = index.in_flight()
    assert len({row.content_hash for row in rows}) == len(rows) == len(index)
    assert sum(new) >= 500
