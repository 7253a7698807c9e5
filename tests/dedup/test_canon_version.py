"""Two releases side by side: rows whose identity an earlier canonical form made keep their place."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import timedelta
from typing import Any

import pytest

from interlock.dedup import CANON_VERSION, ApprovalStore, DedupIndex, Proposal, dedup_proposals
from interlock.tenancy import tenant_scope

# The earlier release kept the unit in the payload, this one counts in seconds.
THEN = Proposal.custom("wait", {"time": 5, "unit": "min"})
NOW = Proposal.custom("wait", {"seconds": 300})
OTHER = Proposal.custom("notify", {"time": 5, "unit": "min"})


def test_the_pure_decision_compares_both():
    row = {"state": "pending", "kind": "wait", "content_hash": THEN.content_hash}
    assert not dedup_proposals(NOW, [row]).duplicate
    assert dedup_proposals(NOW, [row], formerly=THEN).collapsed_into is row
    with pytest.raises(ValueError, match="kind"):
        dedup_proposals(NOW, [row], formerly=OTHER)


def test_the_index_compares_both_and_prefers_what_is_in_flight():
    index = DedupIndex(cooldown=3600)
    then = index.propose(THEN).stored
    assert then.canon_version == CANON_VERSION
    again = index.propose(NOW, formerly=THEN)
    assert (again.reason, again.collapsed_into.id, again.collapsed_into.seen_count) == ("in_flight", then.id, 2)
    index.transition(then.id, "cancelled")
    assert index.propose(NOW, formerly=THEN).reason == "cooldown"
    now = index.propose(NOW).stored
    assert index.propose(NOW, formerly=THEN).collapsed_into.id == now.id
    assert len(index) == 1
    with pytest.raises(ValueError, match="kind"):
        index.propose(NOW, formerly=OTHER)


def test_a_restored_entry_keeps_the_version_that_made_it():
    index = DedupIndex()
    index.propose(THEN)
    snapshot = json.loads(index.snapshot())
    snapshot["entries"][0]["canon_version"] = CANON_VERSION - 1
    restored = DedupIndex()
    restored.restore(json.dumps(snapshot).encode())
    restored.propose(Proposal.shell("ls"))
    assert [row.canon_version for row in restored.in_flight()] == [CANON_VERSION - 1, CANON_VERSION]


async def test_the_store_compares_both(store, executing):
    with tenant_scope("a"):
        then = await executing(store, THEN)
        assert then.canon_version == CANON_VERSION
        again = await store.propose(NOW, formerly=THEN)
        assert (again.reason, again.collapsed_into.id, again.collapsed_into.seen_count) == ("in_flight", then.id, 2)
        many = await store.propose_many([NOW, NOW, Proposal.shell("ls")], formerly=[THEN, None, None])
        assert [decision.reason for decision in many] == ["in_flight", "in_flight", "new"]
        assert many[0].collapsed_into.seen_count == 4
        await store.transition(then.id, "completed", attempt=1, by="worker")
        now = await store.propose(NOW, formerly=THEN)
        assert (now.reason, now.stored.content_hash) == ("new", NOW.content_hash)
        assert (await store.propose(NOW, formerly=THEN)).collapsed_into.id == now.stored.id
        assert (await store.propose(NOW, formerly=NOW)).collapsed_into.id == now.stored.id
        with pytest.raises(ValueError, match="kind"):
            await store.propose(NOW, formerly=OTHER)
        with pytest.raises(ValueError, match="former proposals"):
            await store.propose_many([NOW], formerly=[])
    with tenant_scope("b"):
        assert (await store.propose(NOW, formerly=THEN)).reason == "new"


async def test_what_was_taken_back_leaves_nothing(store, db):
    with tenant_scope("a"):
        stop = Proposal.shell("docker stop web")
        await store.propose(stop)
        await store.propose(Proposal.shell("docker kill web"), formerly=stop)
    for table in ("proposals", "proposal_payloads", "proposal_targets"):
        assert await db.fetchval(f"SELECT count(*) FROM interlock.{table}") == 1


async def test_a_former_row_whose_lease_lapsed_makes_way(store, lapse):
    with tenant_scope("a"):
        then = (await store.propose(THEN)).stored
        await lapse(then.id)
        assert (await store.propose(NOW, formerly=THEN)).reason == "new"
        assert (await store.get(then.id)).state == "expired"


async def test_a_former_row_cools_down_after_what_is_in_flight(pools):
    store = ApprovalStore(pools, lease=60, cooldown=timedelta(hours=1))
    with tenant_scope("a"):
        then = (await store.propose(THEN)).stored
        await store.transition(then.id, "cancelled", by="operator")
        cooled = await store.propose(NOW, formerly=THEN)
        assert (cooled.reason, cooled.collapsed_into.id) == ("cooldown", then.id)
        now = (await store.propose(NOW)).stored
        assert (await store.propose(NOW, formerly=THEN)).collapsed_into.id == now.id


async def test_many_releases_at_once_have_one_winner(store):
    """Half of the processes know the former identity alone until the rows in flight are the new ones."""
    with tenant_scope("a"):
        then = (await store.propose(THEN)).stored
        calls: list[Any] = [store.propose(THEN) if old else store.propose(NOW, formerly=THEN)
                            for old, _ in itertools.product((True, False), range(10))]  # fmt: skip
        decisions = await asyncio.gather(*calls)
        assert {decision.collapsed_into.id for decision in decisions} == {then.id}
        assert (await store.get(then.id)).seen_count == 21
