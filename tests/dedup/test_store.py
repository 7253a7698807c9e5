"""The approval store on a real PostgreSQL: one proposal in flight for each content."""

from __future__ import annotations

import asyncio
import random

import pytest

from interlock.dedup import LifecycleState, Proposal
from interlock.tenancy import tenant_scope

STOP = Proposal.shell("docker stop web", display_id="a3f9c2")


async def test_a_duplicate_names_the_row_and_is_counted(store):
    with tenant_scope("a"):
        first = await store.propose(STOP)
        again = await store.propose(Proposal.shell("docker  stop 'web'", display_id="a3f7c2"))
        assert (first.duplicate, first.collapsed_into, first.reason) == (False, None, "new")
        assert (again.duplicate, again.reason, again.collapsed_into.id) == (True, "in_flight", first.stored.id)
        row = again.collapsed_into
        assert (row.seen_count, row.display_id, row.state, row.org_id) == (2, "a3f9c2", LifecycleState.PENDING, "a")
        assert (row.content_hash, row.cmd_hash, row.logical_keys) == (STOP.content_hash, STOP.cmd_hash, ("stop:web",))
        assert row.last_seen_at > row.first_seen_at == first.stored.first_seen_at
        assert await store.in_flight() == [row]
        assert (await store.payload(row.id)).command == "docker stop web"
    with tenant_scope("b"):
        assert (await store.propose(STOP)).reason == "new"


@pytest.mark.parametrize("state", ["executing", "interrupted"])
async def test_every_in_flight_state_suppresses(store, state, executing):
    with tenant_scope("a"):
        row = await executing(store, STOP)
        if state == "interrupted":
            await store.transition(row.id, "interrupted", attempt=row.attempt, by="worker")
        assert (await store.propose(STOP)).collapsed_into.state == state


async def test_many_at_once_have_one_winner(pools, store):
    with tenant_scope("a"):
        decisions = await asyncio.gather(*(store.propose(STOP) for _ in range(40)))
    assert sum(decision.reason == "new" for decision in decisions) == 1
    assert len({decision.stored.id for decision in decisions}) == 1
    assert sorted(decision.stored.seen_count for decision in decisions) == list(range(1, 41))


async def test_propose_many_answers_by_position_and_folds(store):
    other = Proposal.http("POST", "/x", {"a": 1})
    with tenant_scope("a"):
        known = (await store.propose(other)).stored
        decisions = await store.propose_many([STOP, other, STOP, Proposal.shell("ls"), STOP])
        assert [decision.reason for decision in decisions] == ["new", "in_flight", "in_flight", "new", "in_flight"]
        assert decisions[1].collapsed_into.id == known.id
        assert decisions[0].stored == decisions[2].collapsed_into == decisions[4].collapsed_into
        assert decisions[0].stored.seen_count == 3
        assert await store.propose_many([]) == []
        with pytest.raises(ValueError, match="target states"):
            await store.propose_many([STOP], target_states=[])
        with pytest.raises(ValueError, match="10001"):
            await store.propose_many([STOP] * 10_001)


async def test_batches_in_opposite_order_do_not_deadlock(store):
    proposals = [Proposal.shell(f"rm {number}") for number in range(60)]
    with tenant_scope("a"):
        for _ in range(5):
            results = await asyncio.gather(
                store.propose_many(proposals),
                store.propose_many(proposals[::-1]),
                store.propose_many(random.sample(proposals, len(proposals))),
            )
        assert all(decision.duplicate for result in results for decision in result)
        assert {row.seen_count for row in await store.in_flight()} == {15}


async def test_neighbours_are_shown_and_not_suppressed(store):
    with tenant_scope("a"):
        rows = [(await store.propose(Proposal.shell(command))).stored for command in (
            "docker stop -t 5 web", "docker rm -f web", "docker stop db", "docker stop -t 6 web")]  # fmt: skip
        await store.transition(rows[3].id, "cancelled", by="operator")
        decision = await store.propose(STOP)
        assert decision.reason == "new"
        assert [row.id for row in decision.logical_cluster] == [rows[0].id]
        assert [row.id for row in decision.related] == [rows[1].id]
    with tenant_scope("b"):
        assert (await store.propose(STOP)).logical_cluster == ()


async def test_a_crowded_target_shows_the_oldest_of_each_verb(store, db, monkeypatch):
    """However many there are with the proposal's own verb, those with another one are found."""
    monkeypatch.setattr("interlock.dedup.store.NEIGHBOURS", 3)
    with tenant_scope("a"):
        stops = [Proposal.shell(f"docker stop -t {n} web") for n in range(20)]
        others = [Proposal.shell(f"docker {verb} web") for verb in ("kill", "start", "unpause")]
        await store.propose_many(stops + others)
        decision = await store.propose(STOP)
        assert len(decision.logical_cluster) == 3
        assert {row.logical_keys for row in decision.related} == {(f"{v}:web",) for v in ("kill", "start", "unpause")}
        both = await store.propose(Proposal.shell("docker stop web && docker start web"))
        assert {row.logical_keys for row in both.related} == {("kill:web",), ("unpause:web",)}
